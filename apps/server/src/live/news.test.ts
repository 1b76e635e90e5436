import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Storage } from '../storage/storage.js'
import { unpackPosted, type Member, type Message, type PostedNews } from '../contract.js'
import { newPerson, nextNews, startChat, type Chat, type Person, type TestSocket } from '../test/chat.js'
import { eventually } from '../test/eventually.js'
import { createNoHints, type Hints } from './hints.js'
import { createNews, type Dispatch } from './news.js'

// Many accounts sign up, and a child process converts a picture.
vi.setConfig({ testTimeout: 120_000 })

const storage: Storage = {
  put: async () => undefined,
  get: async () => null,
  remove: async () => undefined,
  prepare: async () => undefined,
  check: async () => undefined,
}

describe('news', () => {
  /** Replicas that send each other hints. Each has one reader, and a frame to the reader takes 4 ms. */
  function replicas(count: number) {
    const receivers: ((hint: string) => void)[] = []
    return Array.from({ length: count }, (_, self) => {
      const heard: string[] = []
      const noted: [string, number[]][] = []
      const hints: Hints = {
        ...createNoHints(),
        publish: (hint) => receivers.forEach((receive, other) => other !== self && receive(hint)),
        subscribe: (receiver) => (receivers[self] = receiver),
      }
      const news = createNews({
        hints,
        here: {
          deliver: ({ type }) => void heard.push(type),
          deliverPosted(_roomId, frames) {
            vi.advanceTimersByTime(4)
            for (const json of frames)
              heard.push(...unpackPosted(JSON.parse(json) as PostedNews).messages.map(({ body }) => body))
          },
          note: (counter, _roomId, numbers) => void noted.push([counter, numbers]),
        },
      })
      return { news, heard, noted }
    })
  }
  const message = (seq: number): Message => ({
    seq,
    id: `id ${seq}`,
    author: { id: 'ann', name: 'Ann', avatarUrl: null },
    body: `message ${seq}`,
    postedAt: '2026-11-30T12:00:00.000Z',
    replyTo: null,
    editedAt: null,
    deleted: false,
    mentions: [],
    reactions: [],
    version: 0,
  })
  const posted = (...seqs: number[]): Dispatch => ({
    type: 'messages:posted',
    to: ['room'],
    payload: { roomId: 'room', messages: seqs.map(message) },
  })
  const room = { to: ['room'] }

  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
  afterEach(() => vi.useRealTimers())

  it.each<Dispatch>([
    { type: 'message:edited', ...room, payload: { roomId: 'room', message: { ...message(2), version: 1 } } },
    { type: 'message:deleted', ...room, payload: { roomId: 'room', message: { ...message(2), version: 1 } } },
    { type: 'room:head', ...room, payload: { roomId: 'room', head: 2, version: 0 } },
    { type: 'members:changed', ...room, payload: { roomId: 'room', joined: [], left: ['ann'] } },
    { type: 'person:changed', ...room, payload: { person: { id: 'ann', name: 'Anna', avatarUrl: null } } },
    { type: 'left', accountId: 'ann', roomId: 'room' },
  ])('$type comes after the messages before it, here and on another replica', (dispatch) => {
    const [here, there] = replicas(2)
    here!.news.send(posted(1))
    here!.news.send(posted(2))
    expect(here!.heard).toEqual(['message 1'])
    here!.news.send(dispatch)
    expect([here!.heard, there!.heard]).toEqual([
      ['message 1', 'message 2', dispatch.type],
      ['message 1', 'message 2', dispatch.type],
    ])
  })

  it.each<Dispatch>([
    {
      type: 'typing:changed',
      ...room,
      payload: { roomId: 'room', account: { id: 'ben', name: 'Ben', avatarUrl: null }, expiresInMs: 1 },
    },
    { type: 'presence:changed', ...room, payload: { accountId: 'ben', online: true } },
  ])('$type does not wait for messages, and does not flush them', (dispatch) => {
    const [here] = replicas(1)
    here!.news.send(posted(1))
    here!.news.send(posted(2))
    here!.news.send(dispatch)
    expect(here!.heard).toEqual(['message 1', dispatch.type])
    vi.advanceTimersByTime(50)
    expect(here!.heard).toEqual(['message 1', dispatch.type, 'message 2'])
  })

  it('is noted on each replica, with the numbers of messages and changes', () => {
    const [here, there] = replicas(2)
    here!.news.send(posted(1, 2))
    here!.news.send({
      type: 'message:edited',
      to: ['room'],
      payload: { roomId: 'room', message: { ...message(1), version: 7 } },
    })
    for (const { noted } of [here!, there!])
      expect(noted).toEqual([
        ['seq', [1, 2]],
        ['version', [7]],
      ])
  })

  it('sends no hint when it is only delivered', () => {
    const [here, there] = replicas(2)
    here!.news.deliver(posted(1))
    here!.news.deliver({ type: 'session-ended', sessionId: 'a session' })
    expect([here!.heard, there!.heard]).toEqual([['message 1', 'session-ended'], []])
  })
})

describe('clients get events about', () => {
  let chat: Chat
  let ann: Person
  let annSocket: TestSocket
  beforeAll(async () => {
    chat = await startChat({}, { storage })
    ann = await newPerson(chat.url)
    annSocket = await ann.connect()
  })
  afterAll(() => chat.stop())

  const leave = (person: Person, roomId: string) => person.ask('DELETE', `/api/rooms/${roomId}/membership`)
  const invite = (roomId: string, person: Person) =>
    ann.ask('PUT', `/api/rooms/${roomId}/members`, { email: person.account.email })

  it('a new public room, and none about a private room', async () => {
    const ben = await newPerson(chat.url, 'Ben')
    const heard: string[] = []
    annSocket.on('room:opened', ({ room }) => heard.push(room.name))
    await ben.openRoom('private', 'Behind a door')
    const news = nextNews(annSocket, 'room:opened')
    const room = await ben.openRoom('public', 'In the open')
    expect(await news).toEqual({ room: { ...room, joined: false, mine: false } })
    expect(heard).toEqual(['In the open'])
  })

  it('members who join or leave, also on the other devices of these members', async () => {
    const ben = await newPerson(chat.url, 'Ben')
    const elsewhere = await ben.connect()
    const room = await ann.openRoom()
    const mine = ({ roomId }: { roomId: string }) => roomId === room.id
    const guest = { id: ben.account.id, name: 'Ben', avatarUrl: null, online: true }
    await eventually(async () =>
      expect(
        (await chat.database.db.query('select from presence where account_id = $1', [ben.account.id])).length,
      ).toBe(1),
    )
    const arrivals = [annSocket, elsewhere].map((socket) =>
      nextNews(socket, 'members:changed', (news) => mine(news) && news.joined.some(({ id }) => id === ben.account.id)),
    )
    await ben.join(room.id)
    for (const arrival of arrivals) expect((await arrival).joined).toContainEqual(guest)
    const departures = [annSocket, elsewhere].map((socket) =>
      nextNews(socket, 'members:changed', (news) => mine(news) && news.left.length > 0),
    )
    await leave(ben, room.id)
    for (const departure of departures) expect((await departure).left).toEqual([ben.account.id])
  })

  it('a room that the account created or joined by invitation on another device', async () => {
    const ben = await newPerson(chat.url, 'Ben')
    const elsewhere = await ben.connect()
    const opened = nextNews(elsewhere, 'members:changed')
    const room = await ben.openRoom('private')
    expect(await opened).toMatchObject({ roomId: room.id, joined: [{ id: ben.account.id }] })
    const other = await ann.openRoom('private')
    const invited = nextNews(elsewhere, 'members:changed', ({ roomId }) => roomId === other.id)
    await invite(other.id, ben)
    expect((await invited).joined.map(({ id }) => id)).toContain(ben.account.id)
  })

  it('many members who join at once, in a few frames, without missing one', async () => {
    const room = await ann.openRoom()
    const crowd = await Promise.all(
      Array.from({ length: 25 }, (_, n) => newPerson(chat.url, `Person ${String.fromCharCode(97 + n)}`)),
    )
    const seen = new Set<string>()
    let frames = 0
    annSocket.on('members:changed', ({ roomId, joined }) => {
      if (roomId !== room.id) return
      frames += 1
      for (const { id } of joined) seen.add(id)
    })
    await Promise.all(crowd.map((person) => person.join(room.id)))
    await eventually(() => expect(crowd.filter(({ account }) => !seen.has(account.id))).toEqual([]))
    expect(frames).toBeLessThan(25)
  })

  it('a new name and avatar, to members of shared rooms and the account’s own devices only', async () => {
    const [ben, eve] = await Promise.all([newPerson(chat.url, 'Ben'), newPerson(chat.url, 'Eve')])
    const [elsewhere, eveSocket] = [await ben.connect(), await eve.connect()]
    const overheard: string[] = []
    eveSocket.on('person:changed', ({ person }) => overheard.push(person.name))
    const room = await ann.openRoom('private')
    await invite(room.id, ben)

    const names = [annSocket, elsewhere].map((socket) =>
      nextNews(socket, 'person:changed', ({ person }) => person.name === 'Benedict'),
    )
    await ben.ask('PATCH', '/api/me', { name: 'Benedict' })
    for (const name of names)
      expect(await name).toEqual({ person: { id: ben.account.id, name: 'Benedict', avatarUrl: null } })
    const typing = nextNews(annSocket, 'typing:changed', ({ roomId }) => roomId === room.id)
    await ben.emit(elsewhere, 'typing:start', { roomId: room.id })
    expect((await typing).account.name).toBe('Benedict')

    const picture = await sharp({ create: { width: 32, height: 32, channels: 3, background: '#123456' } })
      .png()
      .toBuffer()
    const pictures = [annSocket, elsewhere].map((socket) =>
      nextNews(socket, 'person:changed', ({ person }) => person.avatarUrl !== null),
    )
    const { avatarUrl } = (
      await ben.ask<{ avatarUrl: string }>('PUT', '/api/me/avatar', picture, { 'content-type': 'image/png' })
    ).body
    for (const news of pictures) expect((await news).person.avatarUrl).toBe(avatarUrl)

    // Eve’s socket does get events: about her own account.
    const own = nextNews(eveSocket, 'person:changed')
    await eve.ask('PATCH', '/api/me', { name: 'Evelyn' })
    await own
    expect(overheard).toEqual(['Evelyn'])
  })

  it('many changes of a name in a few frames, and the last name at the end', async () => {
    const ben = await newPerson(chat.url, 'Ben')
    const room = await ann.openRoom('private')
    await invite(room.id, ben)
    const heard: string[] = []
    annSocket.on('person:changed', ({ person }) => person.id === ben.account.id && heard.push(person.name))
    for (let n = 1; n <= 30; n += 1) await ben.ask('PATCH', '/api/me', { name: `Ben ${n}` })
    await eventually(() => expect(heard.at(-1)).toBe('Ben 30'))
    expect(heard.length).toBeLessThan(30)
  })

  it('members, and a list shows a member with sockets on two replicas once', async () => {
    const other = await chat.replica()
    const room = await ann.openRoom('private')
    await ann.connect(other.url, { origin: other.url })
    await eventually(async () =>
      expect(
        (await chat.database.db.query('select from presence where account_id = $1', [ann.account.id])).length,
      ).toBe(2),
    )
    const { members } = (await ann.ask<{ members: Member[] }>('GET', `/api/rooms/${room.id}/members`)).body
    expect(members).toEqual([{ id: ann.account.id, name: 'Ann', avatarUrl: null, online: true }])
  })
})
