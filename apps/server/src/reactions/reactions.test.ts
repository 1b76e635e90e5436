import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits, type ErrorBody, type Message } from '../contract.js'
import { newPerson, nextNews, startChat, type Chat, type Person, type TestSocket } from '../test/chat.js'
import { eventually } from '../test/eventually.js'

describe('reactions', () => {
  let chat: Chat
  let ann: Person
  let ben: Person
  let annSocket: TestSocket
  let benSocket: TestSocket
  let room: { id: string }

  beforeAll(async () => {
    chat = await startChat()
    ;[ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
    ;[annSocket, benSocket] = [await ann.connect(), await ben.connect()]
  })
  afterAll(() => chat.stop())

  /** A new room of Ann and Ben with one message by Ann. */
  async function begin() {
    room = await ann.openRoom('private')
    await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: ben.account.email })
    await eventually(async () => expect(await ann.history(room.id)).toHaveLength(1))
    const { seq } = ((await ann.post(annSocket, room.id, 'Lunch?')) as { data: { seq: number } }).data
    return seq
  }
  const react = (socket: TestSocket, seq: number, emoji: string, on = true) =>
    socket.emitWithAck('message:react', { roomId: room.id, seq, emoji, on }) as Promise<
      { data: Message } | { error: ErrorBody }
    >
  const stored = async (seq: number) => (await ben.history(room.id)).find((message) => message.seq === seq)!
  const by = (...people: Person[]) => people.map(({ account: { id, name } }) => ({ id, name }))

  it('are told to the room, and are in the history in the order in which they came', async () => {
    const seq = await begin()
    const news = nextNews(annSocket, 'message:edited')
    const reply = await react(benSocket, seq, '👍')
    expect(await news).toEqual({ roomId: room.id, message: (reply as { data: Message }).data })
    await react(benSocket, seq, '🎉')
    await react(annSocket, seq, '👍')
    expect(await stored(seq)).toMatchObject({
      body: 'Lunch?',
      editedAt: null,
      version: 3,
      reactions: [
        { emoji: '👍', people: by(ben, ann) },
        { emoji: '🎉', people: by(ben) },
      ],
    })
  })

  it('count once for each person, however often they are sent', async () => {
    const seq = await begin()
    await Promise.all([1, 2, 3].map(() => react(benSocket, seq, '👍')))
    expect((await stored(seq)).reactions).toEqual([{ emoji: '👍', people: by(ben) }])
  })

  it('can be taken back by the person who added them', async () => {
    const seq = await begin()
    await react(benSocket, seq, '👍')
    await react(annSocket, seq, '👍', false)
    expect((await stored(seq)).reactions).toEqual([{ emoji: '👍', people: by(ben) }])
    await react(benSocket, seq, '👍', false)
    expect((await stored(seq)).reactions).toEqual([])
  })

  it('stay with a message that is edited, and go with one that is deleted', async () => {
    const seq = await begin()
    await react(benSocket, seq, '👍')
    await annSocket.emitWithAck('message:edit', { roomId: room.id, seq, body: 'Dinner?' })
    expect((await stored(seq)).reactions).toHaveLength(1)
    await annSocket.emitWithAck('message:delete', { roomId: room.id, seq })
    expect((await stored(seq)).reactions).toEqual([])
    expect(await chat.database.db.query('select from reactions where room_id = $1', [room.id])).toEqual([])
    expect(await react(benSocket, seq, '👍')).toHaveProperty('error.reason', 'no_such_message')
  })

  it('have the current name of a person', async () => {
    const seq = await begin()
    const eve = await newPerson(chat.url, 'Eve')
    await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: eve.account.email })
    await react(await eve.connect(), seq, '👀')
    await eve.ask('PATCH', '/api/me', { name: 'Evelyn' })
    expect((await stored(seq)).reactions).toEqual([{ emoji: '👀', people: [{ id: eve.account.id, name: 'Evelyn' }] }])
  })

  it('come to a client that missed them', async () => {
    const seq = await begin()
    await react(benSocket, seq, '👍')
    const { body } = await ann.ask<{ messages: Message[] }>('GET', `/api/rooms/${room.id}/messages?changedAfter=0`)
    expect(body.messages).toEqual([await stored(seq)])
  })

  it.each(['', 'ok', '<b>', '👍👍', '👍 ', '\u200d', '1', '❤'])('are one emoji, not “%s”', async (emoji) => {
    const seq = await begin()
    expect(await react(benSocket, seq, emoji)).toHaveProperty('error.reason', 'not_an_emoji')
  })

  it.each(['❤️', '👩🏽‍❤️‍💋‍👨🏿', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🇩🇪', '1️⃣'])('can be %s', async (emoji) => {
    const seq = await begin()
    expect(await react(benSocket, seq, emoji)).toHaveProperty('data.reactions.0.emoji', emoji)
  })

  it('are of a limited number of emoji, and a refusal changes nothing', async () => {
    const seq = await begin()
    const emoji = Array.from({ length: limits.reactions + 1 }, (_, n) => String.fromCodePoint(0x1f400 + n))
    for (const each of emoji.slice(0, -1)) expect(await react(benSocket, seq, each)).toHaveProperty('data')
    const before = await stored(seq)
    expect(await react(benSocket, seq, emoji.at(-1)!)).toHaveProperty('error.reason', 'too_many_reactions')
    expect(await react(annSocket, seq, emoji[0]!)).toHaveProperty('data.version', before.version + 1)
  })

  it('are refused to accounts that are not members, and for messages that do not exist', async () => {
    const seq = await begin()
    const eve = await newPerson(chat.url, 'Eve')
    expect(await react(await eve.connect(), seq, '👍')).toHaveProperty('error.reason', 'no_such_room')
    expect(await react(benSocket, seq + 1, '👍')).toHaveProperty('error.reason', 'no_such_message')
    expect((await stored(seq)).version).toBe(0)
  })
})
