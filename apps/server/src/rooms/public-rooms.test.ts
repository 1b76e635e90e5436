import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Room, RoomPage } from '../contract.js'
import { newPerson, startChat, type Chat, type Person } from '../test/chat.js'
import { publicRooms } from './queries.js'

const many = 10_000
const nameOf = (number: number) => `Crowd ${String(number).padStart(5, '0')}`

describe('among ten thousand public rooms', () => {
  let chat: Chat
  let ann: Person
  let own: Room
  let sizeBefore: number
  beforeAll(async () => {
    chat = await startChat()
    ann = await newPerson(chat.url)
    own = await ann.openRoom('public', 'Crowd 00500 and a half')
    sizeBefore = await sizeOfList()
    await chat.database.db.query(
      `insert into rooms (name, kind) select 'Crowd ' || lpad(n::text, 5, '0'), 'public' from generate_series(1, ${many}) n`,
    )
    await chat.database.db.query('analyze')
  })
  afterAll(() => chat.stop())

  const sizeOfList = async () => JSON.stringify((await ann.ask('GET', '/api/rooms')).body).length
  const page = async (query: Record<string, string> = {}) => {
    const { status, body } = await ann.ask<RoomPage>(
      'GET',
      `/api/rooms/public?${new URLSearchParams(query).toString()}`,
    )
    expect([status, body]).toEqual([200, { rooms: expect.any(Array) as unknown, next: body.next }])
    return body
  }
  const names = ({ rooms }: RoomPage) => rooms.map(({ name }) => name)

  it('the list of an account’s own rooms does not grow', async () => {
    expect(sizeBefore).toBe(JSON.stringify({ rooms: [own] }).length)
    expect(await sizeOfList()).toBe(sizeBefore)
  })

  it('a page has 30 rooms, or up to 100 on request', async () => {
    expect(names(await page())).toEqual(Array.from({ length: 30 }, (_, index) => nameOf(index + 1)))
    expect((await page()).rooms[0]).toEqual({
      id: expect.any(String) as string,
      name: nameOf(1),
      kind: 'public',
      people: [],
      joined: false,
      head: 0,
      version: 0,
      read: 0,
      unread: 0,
      mentions: 0,
      notify: 'mentions',
      topic: '',
      archived: false,
      mine: false,
    })
    expect(names(await page({ limit: '2' }))).toEqual([nameOf(1), nameOf(2)])
    expect((await page({ limit: '100' })).rooms).toHaveLength(100)
  })

  it('pages show each room that is not joined once, by name, also while other accounts open rooms', async () => {
    const joined = (await page({ search: nameOf(700), limit: '1' })).rooms[0]
    expect((await ann.join(joined?.id ?? '')).status).toBe(200)
    const ben = await newPerson(chat.url, 'Ben')
    const seen: string[] = []
    for (let after: string | null = ''; after !== null;) {
      const { rooms, next }: RoomPage = await page({ limit: '100', ...(after !== '' && { after }) })
      expect(rooms.length).toBeLessThanOrEqual(100)
      seen.push(...rooms.map(({ name }) => name))
      // The new room belongs on a page that has already been loaded.
      if (seen.length === 300) await ben.openRoom('public', 'Crowd 00100 and a half')
      after = next
    }
    expect(seen.filter((name) => name !== 'General')).toEqual(
      Array.from({ length: many }, (_, index) => nameOf(index + 1)).filter((name) => name !== nameOf(700)),
    )
  })

  it('the database reads only the rooms of the page', async () => {
    const explained: string[] = []
    const explaining = {
      query: async (sql: string, parameters?: readonly unknown[]) => {
        explained.push(
          ...(await chat.database.db.query<Record<string, string>>(`explain ${sql}`, parameters)).map((row) =>
            String(Object.values(row)[0]),
          ),
        )
        return []
      },
    }
    await publicRooms(explaining, ann.account.id, { search: '', after: nameOf(5_000), limit: 31 })
    const plan = explained.join('\n')
    expect(plan).toMatch(/Index Scan using rooms_public_name on rooms r/)
    expect(plan).not.toMatch(/Sort|Seq Scan on rooms/)
  })

  it('a search finds a part of a name, in upper or lower case', async () => {
    expect(names(await page({ search: 'ROWD 09999' }))).toEqual([nameOf(9_999)])
    const first = await page({ search: '777', limit: '15' })
    const second = await page({ search: '777', limit: '15', after: first.next ?? '' })
    const all = Array.from({ length: many }, (_, index) => nameOf(index + 1))
    expect([...names(first), ...names(second)]).toEqual(all.filter((name) => name.includes('777')))
    expect([names(first).length, second.next]).toEqual([15, null])
    expect(await page({ search: 'nobody calls a room so' })).toEqual({ rooms: [], next: null })
  })

  it('a search has no wildcards', async () => {
    const ben = await newPerson(chat.url, 'Ben')
    for (const name of ['100% wool', 'snake_case', 'back\\slash', 'ДОМ']) await ben.openRoom('public', name)
    expect(names(await page({ search: '%' }))).toEqual(['100% wool'])
    expect(names(await page({ search: '_' }))).toEqual(['snake_case'])
    expect(names(await page({ search: '\\' }))).toEqual(['back\\slash'])
    expect(names(await page({ search: 'дом' }))).toEqual(['ДОМ'])
  })

  it('a search does not find private rooms', async () => {
    const ben = await newPerson(chat.url, 'Ben')
    await ben.openRoom('private', 'Between us')
    await ben.openRoom('public', 'Between all of us')
    expect(names(await page({ search: 'between' }))).toEqual(['Between all of us'])
  })

  it.each([
    'limit=0',
    'limit=101',
    'limit=many',
    'search=',
    'search=a&search=b',
    `search=${'x'.repeat(61)}`,
    'after=',
    'after=%00',
  ])('%s is refused', async (query) => {
    expect((await ann.ask('GET', `/api/rooms/public?${query}`)).body).toMatchObject({ error: { code: 'invalid' } })
  })
})
