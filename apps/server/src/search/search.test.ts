import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FoundPage, Posted } from '../contract.js'
import { newPerson, startChat, type Chat, type Person, type TestSocket } from '../test/chat.js'

describe('a search', () => {
  let chat: Chat
  let ann: Person
  let ben: Person
  let annSocket: TestSocket
  let garden: { id: string }
  let cellar: { id: string }

  beforeAll(async () => {
    chat = await startChat()
    ;[ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
    annSocket = await ann.connect()
    ;[garden, cellar] = [await ann.openRoom('private'), await ann.openRoom('private')]
    await ann.ask('PUT', `/api/rooms/${garden.id}/members`, { email: ben.account.email })
    for (const text of ['The beans are growing', 'Бобы растут быстро', 'Who waters the tomatoes?', 'Полил помидоры'])
      await ann.post(annSocket, garden.id, text)
    await ann.post(annSocket, cellar.id, 'The beans are in the cellar')
    await ben.post(await ben.connect(), garden.id, 'A bean soup, "very hot"!')
  })
  afterAll(() => chat.stop())

  const find = async (person: Person, search: Record<string, string>) =>
    (await person.ask<FoundPage>('GET', `/api/search?${new URLSearchParams(search).toString()}`)).body
  const texts = async (person: Person, search: Record<string, string>) =>
    (await find(person, search)).found.map(({ excerpt }) => excerpt.join(''))

  it('finds all forms of English and Russian words, the newest message first', async () => {
    expect(await texts(ann, { text: 'bean' })).toEqual([
      'A bean soup, "very hot"!',
      'The beans are in the cellar',
      'The beans are growing',
    ])
    expect(await texts(ann, { text: 'боб' })).toEqual(['Бобы растут быстро'])
    expect(await texts(ann, { text: 'помидор' })).toEqual(['Полил помидоры'])
  })

  it('marks the words', async () => {
    const { found } = await find(ann, { text: 'grow beans', roomId: garden.id })
    expect(found[0]).toMatchObject({
      roomId: garden.id,
      author: { id: ann.account.id, name: 'Ann' },
      excerpt: ['The ', 'beans', ' are ', 'growing', ''],
    })
  })

  it('understands quotes and a minus', async () => {
    expect(await texts(ann, { text: '"very hot"' })).toEqual(['A bean soup, "very hot"!'])
    expect(await texts(ann, { text: 'beans -cellar -soup' })).toEqual(['The beans are growing'])
    expect(await texts(ann, { text: '!!! & | (' })).toEqual([])
  })

  it('can be limited to a room, an author and days', async () => {
    expect(await texts(ann, { text: 'bean', roomId: cellar.id })).toEqual(['The beans are in the cellar'])
    expect(await texts(ann, { text: 'bean', authorId: ben.account.id })).toEqual(['A bean soup, "very hot"!'])
    await chat.database.db.query(`update messages set posted_at = '2020-02-29T12:00:00Z' where room_id = $1`, [
      cellar.id,
    ])
    expect(await texts(ann, { text: 'bean', since: '2020-02-29', until: '2020-02-29' })).toHaveLength(1)
    expect(await texts(ann, { text: 'bean', since: '2020-03-01' })).toHaveLength(2)
    expect(await texts(ann, { text: 'bean', until: '2020-02-28' })).toEqual([])
  })

  it('finds only messages of one’s own rooms, and nothing from the moment of leaving', async () => {
    expect(await texts(ben, { text: 'bean' })).toHaveLength(2)
    expect(await texts(ben, { text: 'bean', roomId: cellar.id })).toEqual([])
    const eve = await newPerson(chat.url, 'Eve')
    await ann.ask('PUT', `/api/rooms/${garden.id}/members`, { email: eve.account.email })
    expect(await texts(eve, { text: 'bean' })).toHaveLength(2)
    await eve.ask('DELETE', `/api/rooms/${garden.id}/membership`)
    expect(await texts(eve, { text: 'bean' })).toEqual([])
  })

  it('follows edits, and forgets deleted messages', async () => {
    const { seq } = ((await ann.post(annSocket, garden.id, 'a rutabaga')) as { data: Posted }).data
    await annSocket.emitWithAck('message:edit', { roomId: garden.id, seq, body: 'a kohlrabi' })
    expect(await texts(ann, { text: 'rutabaga' })).toEqual([])
    expect(await texts(ann, { text: 'kohlrabi' })).toEqual(['a kohlrabi'])
    await annSocket.emitWithAck('message:delete', { roomId: garden.id, seq })
    expect(await texts(ann, { text: 'kohlrabi' })).toEqual([])
  })

  it('comes in pages, without a message twice, also when many have the same time', async () => {
    for (let n = 0; n < 7; n += 1) await ann.post(annSocket, garden.id, `zucchini ${n}`)
    await chat.database.db.query(`update messages set posted_at = '2021-01-01' where body like 'zucchini%'`)
    const all: string[] = []
    let next: string | null = ''
    do {
      const page = await find(ann, { text: 'zucchini', limit: '3', ...(next && { after: next }) })
      all.push(...page.found.map(({ excerpt }) => excerpt.join('')))
      next = page.next
    } while (next !== null)
    expect(all).toEqual([6, 5, 4, 3, 2, 1, 0].map((n) => `zucchini ${n}`))
  })

  it('refuses no words, too many of them, and a place that is none', async () => {
    const reason = async (search: Record<string, string>) =>
      ((await find(ann, search)) as unknown as { error: { reason: string } }).error.reason
    expect(await reason({ text: ' ' })).toBe('empty')
    expect(await reason({ text: 'x'.repeat(201) })).toBe('too_long')
    expect(await reason({ text: 'x', after: 'nowhere' })).toBe('malformed')
    expect(await reason({ text: 'x', since: '2020-02-30' })).toBe('malformed')
  })
})
