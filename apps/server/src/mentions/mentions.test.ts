import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Message, Posted, Room } from '../contract.js'
import { newPerson, nextNews, startChat, type Chat, type Person, type TestSocket } from '../test/chat.js'

describe('mentions', () => {
  let chat: Chat
  let ann: Person
  let ben: Person
  let cid: Person
  let annSocket: TestSocket
  let benSocket: TestSocket
  let room: Room

  beforeAll(async () => {
    chat = await startChat()
    ;[ann, ben, cid] = await Promise.all([
      newPerson(chat.url, 'Ann'),
      newPerson(chat.url, 'Ben'),
      newPerson(chat.url, 'Cid'),
    ])
    ;[annSocket, benSocket] = [await ann.connect(), await ben.connect()]
    room = await ann.openRoom('private')
    for (const { account } of [ben, cid])
      await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: account.email })
  })
  afterAll(() => chat.stop())

  const post = async (person: Person, socket: TestSocket, body: string) =>
    ((await person.post(socket, room.id, body)) as { data: Posted }).data.seq
  const stored = async (seq: number) => (await ann.history(room.id)).find((message) => message.seq === seq)!
  const mention = ({ account: { id, name } }: Person, written = name) => ({ id, name, written })
  const countOf = async (person: Person) =>
    (await person.ask<{ rooms: Room[] }>('GET', '/api/rooms')).body.rooms.find(({ id }) => id === room.id)!.mentions
  const read = (socket: TestSocket, seq: number) => socket.emitWithAck('room:read', { roomId: room.id, seq })

  it('are found by the server, in the news and in the history', async () => {
    const news = nextNews(benSocket, 'messages:posted', ({ messages }) => messages[0]?.author.id === ann.account.id)
    const seq = await post(ann, annSocket, '@ben and @Cid, lunch?')
    const message = (await news).messages[0]!
    expect(message.mentions).toEqual([mention(ben, 'ben'), mention(cid)])
    expect((await stored(seq)).mentions).toEqual(expect.arrayContaining(message.mentions))
  })

  it('are counted until they are read, for those who are named', async () => {
    await read(benSocket, 1_000)
    const seq = await post(ann, annSocket, 'hello @Ben')
    await post(ann, annSocket, 'hello nobody')
    expect(await countOf(ben)).toBe(1)
    expect(await countOf(ann)).toBe(0)
    await read(benSocket, seq)
    expect(await countOf(ben)).toBe(0)
  })

  it('name only members', async () => {
    const eve = await newPerson(chat.url, 'Eve')
    const seq = await post(ann, annSocket, '@Eve and @Ben')
    expect((await stored(seq)).mentions).toEqual([mention(ben)])
    expect(eve.account.name).toBe('Eve')
  })

  it('follow a new name of the person, and an edit of the message', async () => {
    const dora = await newPerson(chat.url, 'Dora')
    await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: dora.account.email })
    const seq = await post(ann, annSocket, '@Dora?')
    await dora.ask('PATCH', '/api/me', { name: 'Theodora' })
    expect((await stored(seq)).mentions).toEqual([{ id: dora.account.id, name: 'Theodora', written: 'Dora' }])
    const edited = await annSocket.emitWithAck('message:edit', { roomId: room.id, seq, body: '@Cid?' })
    expect((edited as { data: Message }).data.mentions).toEqual([mention(cid)])
    expect((await stored(seq)).mentions).toEqual([mention(cid)])
    await annSocket.emitWithAck('message:delete', { roomId: room.id, seq })
    expect((await stored(seq)).mentions).toEqual([])
    expect(
      await chat.database.db.query('select from mentions where room_id = $1 and seq = $2', [room.id, seq]),
    ).toEqual([])
  })

  it('name everyone when the person who created the room writes @room', async () => {
    await read(benSocket, 1_000)
    const seq = await post(ann, annSocket, '@room and @Cid: cake')
    expect((await stored(seq)).mentions).toEqual(
      expect.arrayContaining([mention(cid), { id: null, name: 'room', written: 'room' }]),
    )
    expect(await countOf(ben)).toBe(1)
    expect((await stored(await post(ben, benSocket, '@room'))).mentions).toEqual([])
  })
})
