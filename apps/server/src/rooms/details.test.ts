import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FoundPage, Room, RoomPage } from '../contract.js'
import { newPerson, nextNews, startChat, type Chat, type Person, type TestSocket } from '../test/chat.js'

describe('the details of a room', () => {
  let chat: Chat
  let ann: Person
  let ben: Person
  let annSocket: TestSocket
  let benSocket: TestSocket
  let room: Room

  beforeAll(async () => {
    chat = await startChat()
    ;[ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
    ;[annSocket, benSocket] = [await ann.connect(), await ben.connect()]
  })
  afterAll(() => chat.stop())
  beforeEach(async () => {
    room = await ann.openRoom('public')
    await ben.join(room.id)
  })

  const change = (person: Person, changes: object, id = room.id) =>
    person.ask<Room>('PATCH', `/api/rooms/${id}`, changes)
  const reasonOf = ({ body }: { body: unknown }) => (body as { error?: { reason: string } }).error?.reason
  const find = async (person: Person) => (await person.ask<Room>('GET', `/api/rooms/${room.id}`)).body

  it('are changed by the person who created it, and its members hear of it', async () => {
    const name = `Garden ${randomUUID().slice(0, 8)}`
    const news = nextNews(benSocket, 'room:changed')
    const { status, body } = await change(ann, { name, topic: 'What grows' })
    expect([status, body.name, body.topic, body.mine]).toEqual([200, name, 'What grows', true])
    expect(await news).toEqual({ roomId: room.id, details: { name, topic: 'What grows', archived: false } })
    expect(await find(ben)).toMatchObject({ name, topic: 'What grows', archived: false, mine: false })
    expect((await change(ann, { topic: '' })).body).toMatchObject({ name, topic: '' })
  })

  it('stay as they are for others, for people who have left, and in direct conversations', async () => {
    expect(reasonOf(await change(ben, { topic: 'Mine now' }))).toBe('not_your_room')
    await ann.ask('DELETE', `/api/rooms/${room.id}/membership`)
    expect(reasonOf(await change(ann, { topic: 'Still mine' }))).toBe('not_a_member')
    expect((await find(ann)).mine).toBe(false)
    await ann.join(room.id)
    const { body: direct } = await ann.ask<Room>('POST', '/api/direct', { people: [ben.account.id] })
    expect(direct.mine).toBe(false)
    expect(reasonOf(await change(ann, { name: 'Two' }, direct.id))).toBe('direct_conversation')
    expect((await find(ben)).topic).toBe('')
  })

  it('have the rules of a new room', async () => {
    const other = await ann.openRoom('public')
    expect(reasonOf(await change(ann, { name: other.name.toUpperCase() }))).toBe('room_name_taken')
    expect((await change(ann, { name: room.name.toUpperCase() })).status).toBe(200)
    expect(reasonOf(await change(ann, { name: ' ' }))).toBe('empty')
    expect(reasonOf(await change(ann, { topic: 'x'.repeat(251) }))).toBe('too_long')
    expect(reasonOf(await change(ann, { topic: 'two\nlines' }))).toBe('hidden_characters')
  })

  it('archive it: its members read and search it, but nobody writes or joins', async () => {
    await ann.post(annSocket, room.id, 'We planted marrows')
    await change(ann, { archived: true })
    const write = async (event: 'message:post' | 'message:edit' | 'message:delete' | 'message:react', what: object) =>
      (await annSocket.emitWithAck(event, { roomId: room.id, seq: 1, ...what })) as {
        error?: { reason: string }
      }
    const reasons = [
      await write('message:post', { id: randomUUID(), body: 'Too late' }),
      await write('message:edit', { body: 'Other words' }),
      await write('message:delete', {}),
      await write('message:react', { emoji: '👍', on: true }),
    ].map(({ error }) => error?.reason)
    expect(reasons).toEqual(['room_archived', 'room_archived', 'room_archived', 'room_archived'])
    const eve = await newPerson(chat.url, 'Eve')
    expect(reasonOf(await eve.join(room.id))).toBe('room_archived')
    const { rooms } = (await eve.ask<RoomPage>('GET', `/api/rooms/public?search=${room.name}`)).body
    expect(rooms).toEqual([])

    expect(await find(ben)).toMatchObject({ archived: true, head: 1, version: 0, unread: 1 })
    const { found } = (await ben.ask<FoundPage>('GET', '/api/search?text=marrow')).body
    expect(found.map(({ roomId }) => roomId)).toEqual([room.id])

    await change(ann, { archived: false })
    expect(await ann.post(annSocket, room.id, 'Again')).toMatchObject({ data: { seq: 2 } })
    expect((await eve.join(room.id)).status).toBe(200)
  })

  it('archive one room, and the posts that share a commit with its own stay', async () => {
    const open = await ann.openRoom('private')
    await change(ann, { archived: true })
    const outcomes = await Promise.all(
      [room, open, room, open].map(({ id }, index) => ann.post(annSocket, id, `post ${index}`)),
    )
    expect(outcomes).toMatchObject([
      { error: { reason: 'room_archived' } },
      { data: { seq: 1 } },
      { error: { reason: 'room_archived' } },
      { data: { seq: 2 } },
    ])
  })
})
