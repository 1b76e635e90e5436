// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { packPosted, type Account, type Member, type Message, type Room } from '@chat/server/contract'

import { createChat, type Chat } from './chat.js'
import type { ChatSocket } from './connection.js'

const me: Account = { id: 'ann', name: 'Ann', email: 'ann@example.com', avatarUrl: null }
const says = (seq: number, author = 'ben', change: Partial<Message> = {}): Message => ({
  seq,
  id: `${author}-${seq}`,
  author: { id: author, name: author, avatarUrl: null },
  body: `message ${seq}`,
  postedAt: new Date(seq).toISOString(),
  replyTo: null,
  editedAt: null,
  deleted: false,
  mentions: [],
  reactions: [],
  version: 0,
  ...change,
})
const member = (id: string, change: Partial<Member> = {}): Member => ({
  id,
  name: id,
  avatarUrl: null,
  online: false,
  ...change,
})
const run = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => says(from + i))

/** A fake server: a room with a history, an HTTP API, and a socket whose events the test sends. */
const createServer = () => {
  const handlers = new Map<string, (...args: unknown[]) => void>()
  const server = {
    history: run(1, 5),
    read: 5,
    version: 0,
    notify: 'mentions' as Room['notify'],
    topic: '',
    archived: false,
    mine: false,
    signedOut: false,
    /** The other rooms of the account. */
    others: [] as Room[],
    members: [member('ann'), member('ben')],
    requests: [] as string[],
    emitted: [] as [string, unknown][],
    ack: (() => new Promise(() => undefined)) as (event: string, payload: unknown) => Promise<unknown>,
    send: (event: string, ...args: unknown[]) => handlers.get(event)?.(...args),
    connect: () => {
      socket.connected = true
      server.send('connect')
    },
    disconnect: (reason: string) => {
      socket.connected = false
      server.send('disconnect', reason)
    },
    socket: undefined as unknown as ChatSocket,
  }
  const emitWithAck = (event: string, payload: unknown) => {
    server.emitted.push([event, payload])
    return server.ack(event, payload)
  }
  const socket = {
    connected: false,
    active: true,
    on: (event: string, handler: (...args: unknown[]) => void) => handlers.set(event, handler),
    timeout: () => ({ emitWithAck }),
    emit: (event: string, payload: unknown) => server.emitted.push([event, payload]),
    connect: vi.fn(() => server.connect()),
    disconnect: vi.fn(),
  }
  server.socket = socket as unknown as ChatSocket

  const room = (): Room => {
    const { history, read } = server
    return {
      id: 'r',
      name: 'General',
      kind: 'public',
      joined: true,
      head: history.length,
      version: server.version,
      read,
      unread: history.length - read,
      people: [],
      mentions: 0,
      notify: server.notify,
      topic: '',
      archived: false,
      mine: false,
    }
  }
  const answer = (url: URL) => {
    if (url.pathname === '/api/me') return me
    if (url.pathname === '/api/rooms') return { rooms: [room(), ...server.others] }
    if (url.pathname.endsWith('/members')) return { members: server.members }
    const { history, version } = server
    const limit = Number(url.searchParams.get('limit'))
    const [place] = ['before', 'after', 'around', 'changedAfter'].filter((name) => url.searchParams.has(name))
    const number = Number(url.searchParams.get(place ?? ''))
    const messages = {
      before: () => history.slice(0, number - 1).slice(-limit),
      after: () => history.slice(number, number + limit),
      around: () => history.slice(Math.max(0, number - limit / 2), number + limit / 2),
      changedAfter: () =>
        history
          .filter((message) => message.version > number)
          .sort((a, b) => a.version - b.version)
          .slice(0, limit),
    }[place ?? '']
    return { messages: messages?.() ?? history.slice(-limit), head: history.length, version }
  }

  vi.stubGlobal('fetch', async (path: string) => {
    server.requests.push(path)
    if (server.signedOut)
      return Response.json(
        { error: { code: 'unauthenticated', reason: 'signed_out', message: 'Sign in first.' } },
        { status: 401 },
      )
    return Response.json(answer(new URL(path, 'http://chat.example')))
  })
  return server
}

let server: ReturnType<typeof createServer>
let chat: Chat
const onSignedOut = vi.fn()
const onWanted = vi.fn()
const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms)
const shown = () => chat.conversations.get('r')!.timeline.messages.map(({ seq }) => seq)
const posted = (...messages: Message[]) => {
  server.history.push(...messages)
  server.send('messages:posted', packPosted({ roomId: 'r', messages }))
}
/** Changes a message without sending an event. */
const change = (seq: number, to: Partial<Message>) => {
  server.history[seq - 1] = { ...server.history[seq - 1]!, ...to, version: (server.version += 1) }
  return server.history[seq - 1]!
}
const timeline = () => chat.conversations.get('r')!.timeline
const newsOf = (event: string) => server.emitted.filter(([name]) => name === event).map(([, payload]) => payload)

beforeEach(async () => {
  vi.useFakeTimers()
  localStorage.clear()
  onSignedOut.mockClear()
  onWanted.mockClear()
  server = createServer()
  chat = createChat({ account: me, connect: () => server.socket, onWanted, onSignedOut })
  server.connect()
  chat.open('r')
  await pass(100)
})
afterEach(() => {
  chat.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('an open room', () => {
  it('shows the newest page and then the live messages', () => {
    expect(shown()).toEqual([1, 2, 3, 4, 5])
    posted(says(6))
    expect(shown()).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('loads lost messages, and shows nothing after the gap until then', async () => {
    server.history.push(says(6), says(7))
    posted(says(8))
    expect(shown()).toEqual([1, 2, 3, 4, 5])
    await pass(200)
    expect(shown()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('loads the last message when only `room:head` announces it', async () => {
    server.history.push(says(6))
    server.send('room:head', { roomId: 'r', head: 6 })
    await pass(200)
    expect(shown().at(-1)).toBe(6)
  })

  it('does not load a gap that the next event closes', async () => {
    server.requests.length = 0
    server.history.push(says(6), says(7))
    server.send('messages:posted', packPosted({ roomId: 'r', messages: [says(7)] }))
    await pass(100)
    server.send('messages:posted', packPosted({ roomId: 'r', messages: [says(6)] }))
    await pass(200)
    expect(shown().at(-1)).toBe(7)
    expect(server.requests.filter((path) => path.includes('after='))).toEqual([])
  })

  it('shows after a reconnect the messages, edits and deletions that were missed', async () => {
    server.disconnect('transport close')
    server.history.push(...run(6, 200).slice(0, 195))
    change(199, { body: 'changed' })
    change(200, { body: '', deleted: true })
    server.connect()
    await pass(500)
    expect(shown()).toEqual(run(1, 200).map(({ seq }) => seq))
    expect(chat.conversations.get('r')!.timeline.messages.slice(-2)).toMatchObject([
      { body: 'changed' },
      { deleted: true },
    ])
  })

  /** A room of 200 messages in which the user has scrolled back to message 51. */
  const scrollBack = async () => {
    server.history.push(...run(6, 200))
    server.history[189] = says(190, 'ben', { replyTo: 110 })
    server.send('room:head', { roomId: 'r', head: 200, version: 0 })
    await pass(500)
    chat.close()
    chat = createChat({ account: me, connect: () => server.socket, onWanted, onSignedOut })
    server.connect()
    chat.open('r')
    await pass(100)
    await chat.conversations.loadMore('r', 'before')
    await chat.conversations.loadMore('r', 'before')
    expect(shown()[0]).toBe(51)
  }

  it('shows after a reconnect the missed changes on every loaded page and in quotes', async () => {
    await scrollBack()
    server.disconnect('transport close')
    change(110, { body: '', deleted: true })
    change(60, { body: 'changed' })
    change(3, { body: 'elsewhere' })
    server.connect()
    await pass(500)
    expect([timeline().get(110)?.deleted, timeline().get(60)?.body]).toEqual([true, 'changed'])
    expect(timeline().get(timeline().get(190)!.replyTo!)?.deleted).toBe(true)
    expect([timeline().version, timeline().changesMissed]).toEqual([3, 0])
  })

  it('loads a change that only `room:head` or a later change announces', async () => {
    await scrollBack()
    change(110, { body: '', deleted: true })
    server.send('room:head', { roomId: 'r', head: 200, version: 1 })
    await pass(500)
    expect(timeline().get(110)?.deleted).toBe(true)
    change(111, { body: 'lost' })
    server.send('message:edited', { roomId: 'r', message: change(112, { body: 'arrived' }) })
    await pass(500)
    expect([timeline().get(111)?.body, timeline().get(112)?.body]).toEqual(['lost', 'arrived'])
  })

  it.each([
    ['at the newest messages', null, 151, 200],
    ['further up in the history', 100, 76, 125],
  ])(
    'keeps only the messages near the screen when more changes were missed than are loaded, %s',
    async (_where, place, first, last) => {
      await scrollBack()
      chat.conversations.get('r')!.place = place
      server.disconnect('transport close')
      for (let n = 0; n < 400; n += 1) change(1 + (n % 200), { body: `change ${n}` })
      server.requests.length = 0
      server.connect()
      await pass(500)
      expect([shown()[0], shown().at(-1)]).toEqual([first, last])
      expect(timeline().messages).toEqual(server.history.slice(first - 1, last))
      expect(server.requests.filter((path) => path.includes('/messages'))).toHaveLength(2)
    },
  )

  it('waits before it asks a server without versions, of an older release, again', async () => {
    server.send('room:head', { roomId: 'r', head: 5, version: 500 })
    server.requests.length = 0
    await pass(3000)
    const asked = server.requests.length
    expect(asked).toBeGreaterThan(0)
    expect(asked).toBeLessThan(5)
    server.version = 500
    await pass(3000)
    expect(timeline().changesMissed).toBe(0)
  })

  it('jumps to any message with one request, and back to the newest with another', async () => {
    server.history.push(...run(6, 20_000))
    server.send('room:head', { roomId: 'r', head: 20_000, version: 0 })
    await pass(500)
    server.requests.length = 0
    expect(await chat.conversations.goTo('r', 9_000)).toBe(true)
    expect([shown()[0], shown().at(-1)]).toEqual([8_951, 9_050])
    posted(says(20_001))
    await pass(500)
    expect(shown().at(-1)).toBe(9_050)
    expect(await chat.conversations.goTo('r', null)).toBe(true)
    expect(shown().at(-1)).toBe(20_001)
    expect(server.requests.filter((path) => path.includes('/messages'))).toHaveLength(2)
    expect(await chat.conversations.goTo('r', 30_000)).toBe(false)
  })

  it('tries again while the server does not answer', async () => {
    server.history.push(says(6))
    const fetch = vi.mocked(globalThis.fetch)
    const failing = vi.fn(async () => {
      throw new TypeError('network')
    })
    vi.stubGlobal('fetch', failing)
    posted(says(7))
    await pass(10_000)
    expect(shown().at(-1)).toBe(5)
    const pagesAskedFor = failing.mock.calls.filter(([path]: unknown[]) => String(path).includes('after=')).length
    expect(pagesAskedFor).toBeGreaterThan(1)
    expect(pagesAskedFor).toBeLessThan(10)
    vi.stubGlobal('fetch', fetch)
    await pass(3000)
    expect(shown().at(-1)).toBe(7)
  })
})

describe('posting', () => {
  it('shows the message once, whether the event or the acknowledgement arrives first', async () => {
    let acknowledge: (reply: unknown) => void = () => undefined
    server.ack = () =>
      new Promise((resolve) => {
        acknowledge = resolve
      })
    for (const newsFirst of [true, false]) {
      chat.post({ roomId: 'r', body: 'hello' })
      await pass()
      const { id } = newsOf('message:post').at(-1) as { id: string }
      expect(chat.outbox.in('r')).toHaveLength(1)
      const seq = server.history.length + 1
      const message = says(seq, 'ann', { id, body: 'hello' })
      const steps = [() => posted(message), () => acknowledge({ data: { seq, id, postedAt: message.postedAt } })]
      for (const step of newsFirst ? steps : steps.reverse()) {
        step()
        await pass()
        expect(chat.outbox.in('r')).toHaveLength(0)
        expect(shown().filter((each) => each === seq)).toHaveLength(1)
      }
    }
  })

  it('sends a message without an acknowledgement again after a reconnect, with the same id', async () => {
    server.ack = () => Promise.reject(new Error('socket has been disconnected'))
    chat.post({ roomId: 'r', body: 'hello' })
    await pass()
    server.disconnect('transport close')
    server.ack = (_event, payload) =>
      Promise.resolve({ data: { seq: 6, id: (payload as { id: string }).id, postedAt: '2026-01-01T00:00:00Z' } })
    server.connect()
    await pass(500)
    const [first, second] = newsOf('message:post') as { id: string }[]
    expect(second).toEqual(first)
    expect(first!.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(chat.outbox.in('r')).toEqual([])
  })
})

describe('the list of rooms', () => {
  it('keeps the order in which the server lists the rooms', async () => {
    const names = ['General', 'room 9', 'room 10']
    server.others = names.slice(1).map((name): Room => {
      return {
        id: name,
        name,
        kind: 'public',
        joined: true,
        head: 0,
        version: 0,
        read: 0,
        unread: 0,
        people: [],
        mentions: 0,
        notify: 'mentions',
        topic: '',
        archived: false,
        mine: false,
      }
    })
    await chat.rooms.reload()
    expect(chat.rooms.list!.map(({ name }) => name)).toEqual(names)
  })
})

describe('the unread count', () => {
  const unread = () => chat.rooms.list![0]!.unread

  it('counts each message of others once', () => {
    posted(says(6), says(7, 'ann'))
    posted(says(8))
    server.send('messages:posted', packPosted({ roomId: 'r', messages: [says(8)] }))
    expect(unread()).toBe(2)
  })

  it('is correct after a gap', async () => {
    server.history.push(says(6), says(7))
    posted(says(8))
    await pass(1000)
    expect(unread()).toBe(3)
  })

  it('is zero after reading, also when an older list of rooms arrives', async () => {
    posted(says(6))
    const late = chat.rooms.reload()
    chat.rooms.markRead('r', 6)
    await late
    expect(unread()).toBe(0)
    expect(newsOf('room:read')).toContainEqual({ roomId: 'r', seq: 6 })
  })

  it('stays when the user has marked messages as unread, until the room is opened again', async () => {
    server.ack = async (event, payload) => {
      const { seq } = payload as { seq: number }
      server.read = event === 'room:unread' ? seq - 1 : seq
      return { data: { read: server.read } }
    }
    posted(says(6))
    chat.rooms.markRead('r', 6)
    await chat.rooms.markUnread('r', 6)
    expect(newsOf('room:unread')).toEqual([{ roomId: 'r', seq: 6 }])
    chat.rooms.markRead('r', 6)
    expect(unread()).toBe(1)
    chat.open('r')
    chat.rooms.markRead('r', 6)
    expect(unread()).toBe(0)
  })
})

describe('live updates show', () => {
  const members = () => chat.members.get('r')?.map(({ id, name, online }) => `${name} ${id} ${online}`)
  const ben = { id: 'ben', name: 'Benedict', avatarUrl: '/avatars/ben.webp' }

  it('members who join, leave, are online and change their name', async () => {
    await chat.members.load('r')
    server.send('members:changed', { roomId: 'r', joined: [member('cleo', { online: true })], left: ['ann'] })
    server.send('person:changed', { person: ben })
    server.send('presences:changed', { roomId: 'r', changes: [{ accountId: 'ben', online: true }] })
    expect(members()).toEqual(['Benedict ben true', 'cleo cleo true'])
  })

  it('changes that arrive while the list is loading', async () => {
    const loading = chat.members.load('r')
    server.send('members:changed', { roomId: 'r', joined: [member('cleo')], left: ['ben'] })
    server.send('presence:changed', { accountId: 'ann', online: true })
    await loading
    expect(members()).toEqual(['ann ann true', 'cleo cleo false'])
  })

  it('a new name and avatar of an author in older messages, and of the account', () => {
    server.send('person:changed', { person: ben })
    const authors = chat.conversations.get('r')!.timeline.messages.map(({ author }) => author)
    expect(authors).toEqual(Array(5).fill(ben))
    server.send('person:changed', { person: { id: 'ann', name: 'Anna', avatarUrl: null } })
    expect(chat.me.account).toEqual({ ...me, name: 'Anna' })
  })

  it('after a reconnect, a missed new name, also in messages that are not loaded again', async () => {
    server.history = run(1, 120)
    posted(says(121))
    await pass(500)
    expect(shown()).toHaveLength(121)
    server.disconnect('transport close')
    server.history = server.history.map((message) => ({ ...message, author: ben }))
    server.connect()
    await pass(500)
    expect(new Set(chat.conversations.get('r')!.timeline.messages.map(({ author }) => author.name))).toEqual(
      new Set(['Benedict']),
    )
  })

  it('a room that the account joins or leaves on another device', async () => {
    const other: Room = {
      id: 'other',
      name: 'Other',
      kind: 'private',
      joined: true,
      head: 0,
      version: 0,
      read: 0,
      unread: 0,
      people: [],
      mentions: 0,
      notify: 'mentions',
      topic: '',
      archived: false,
      mine: false,
    }
    const names = () => chat.rooms.list!.map(({ name }) => name)
    server.others = [other]
    server.send('members:changed', { roomId: 'other', joined: [member('ann')], left: [] })
    await pass(1000)
    expect(names()).toEqual(['General', 'Other'])
    server.others = []
    server.send('members:changed', { roomId: 'other', joined: [], left: ['ann'] })
    await pass(1000)
    expect(names()).toEqual(['General'])
    // Others who join or leave are no reason to load the rooms again.
    server.requests.length = 0
    server.send('members:changed', { roomId: 'r', joined: [member('cleo')], left: ['ben'] })
    await pass(1000)
    expect(server.requests).toEqual([])
  })
})

describe('the end of a session', () => {
  it('is noticed when the server closes the socket', async () => {
    server.signedOut = true
    server.disconnect('io server disconnect')
    await pass(5000)
    expect(onSignedOut).toHaveBeenCalledOnce()
  })

  it('is not assumed when the server only restarts', async () => {
    server.disconnect('io server disconnect')
    await pass(5000)
    expect(onSignedOut).not.toHaveBeenCalled()
    expect(chat.connection.connected).toBe(true)
  })

  it('is not assumed when the server cannot be reached', async () => {
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('network')
    })
    server.disconnect('io server disconnect')
    await pass(5000)
    expect(onSignedOut).not.toHaveBeenCalled()
  })

  it('is noticed when the handshake is refused', async () => {
    Object.assign(server.socket, { active: false })
    server.send('connect_error', Object.assign(new Error('unauthenticated'), { data: { code: 'unauthenticated' } }))
    await pass()
    expect(onSignedOut).toHaveBeenCalledOnce()
  })
})

describe('notifications are wanted', () => {
  const toMe = { mentions: [{ id: 'ann', name: 'Ann', written: 'Ann' }] }
  const toAll = { mentions: [{ id: null, name: 'room', written: 'room' }] }
  const wanted = () => onWanted.mock.calls.map(([, message]) => (message as Message).seq)
  const level = async (notify: Room['notify']) => {
    server.notify = notify
    await chat.rooms.reload()
  }

  it('of messages that name the account or everyone', async () => {
    await level('mentions')
    posted(says(6))
    posted(says(7, 'ben', toMe))
    posted(says(8, 'ben', toAll))
    expect(wanted()).toEqual([7, 8])
  })

  it('of all messages of others, or of none', async () => {
    await level('all')
    posted(says(6))
    posted(says(7, 'ann'))
    await level('nothing')
    posted(says(8, 'ben', toMe))
    expect(wanted()).toEqual([6])
  })
})
