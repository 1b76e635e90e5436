import { Manager, type Socket } from 'socket.io-client'

import type {
  Account,
  ClientToServerEvents,
  Complete,
  ErrorBody,
  Message,
  NewMessage,
  Person,
  Posted,
  Room,
  ServerToClientEvents,
} from '@chat/server/contract'

import { api, isSignedOut } from '../api.js'
import { createOutbox, Refused, type Outbox, type Outgoing } from './outbox.js'
import { createConversations, type Conversations } from './conversations.js'
import { createMembers, type Members } from './members.js'

export type ChatSocket = Socket<ServerToClientEvents, ClientToServerEvents>

/** Everything a signed-in person's page shows, kept up to date until `close`. Views read it and `subscribe` to changes. */
export interface Chat {
  readonly account: Account
  /** One's own, null until they are known. */
  readonly rooms: Room[] | null
  readonly roomsProblem: string | null
  readonly connected: boolean
  readonly outbox: Outbox
  /** The newest message of the open room, for those who listen to the page. */
  readonly announcement: string
  /** Grows with every reconnect: what was asked for before may be out of date. */
  readonly connections: number
  subscribe: (listener: () => void) => () => void
  /** The room somebody is looking at: it is loaded, and kept loaded across reconnects. Null closes it. */
  open: (roomId: string | null) => void
  readonly conversations: Conversations
  readonly members: Members
  /** Calls `listener` for each public room that somebody opens. Returns how to end that. */
  onRoomOpened: (listener: (room: Room) => void) => () => void
  reloadRooms: () => Promise<void>
  post: (message: Omit<Outgoing, 'id' | 'queuedAt'>) => void
  edit: (roomId: string, seq: number, body: string) => Promise<void>
  remove: (roomId: string, seq: number) => Promise<void>
  markRead: (roomId: string, seq: number) => void
  type: (roomId: string) => void
  typing: (roomId: string) => Person[]
  changeAccount: (account: Account) => void
  /** Ends the session, everywhere in this browser. */
  signOut: () => Promise<void>
  close: () => void
}

const ackPatienceMs = 10_000
const retryDelayMs = 2000
const typingEveryMs = 2500

export function createChat(options: {
  account: Account
  connect: () => ChatSocket
  /** The session has ended, here or elsewhere. */
  onSignedOut: () => void
}): Chat {
  const socket = options.connect()
  const typists = new Map<string, Map<string, { person: Person; timer: ReturnType<typeof setTimeout> }>>()
  const listeners = new Set<() => void>()
  const openingListeners = new Set<(room: Room) => void>()
  const otherTabs = new BroadcastChannel(`chat.${options.account.id}`)
  let { account } = options
  let rooms: Room[] | null = null
  let roomsProblem: string | null = null
  let openRoom: string | null = null
  let announcement = ''
  let connections = 0
  let lastTyped = 0
  let closed = false
  let roomsTimer: ReturnType<typeof setTimeout> | undefined

  const changed = () => listeners.forEach((listener) => listener())

  const ask = async <T>(reply: Promise<unknown>): Promise<T> => {
    const answer = (await reply) as { data: T } | { error: ErrorBody }
    if ('error' in answer) throw new Refused(answer.error.code, answer.error.message)
    return answer.data
  }
  const patiently = () => socket.timeout(ackPatienceMs)

  // Rooms

  const changeRoom = (roomId: string, change: (room: Room) => Partial<Room>) => {
    rooms = rooms?.map((room) => (room.id === roomId ? { ...room, ...change(room) } : room)) ?? null
  }

  const reloadRooms = async () => {
    clearTimeout(roomsTimer)
    try {
      const answer = await api.rooms()
      const before = new Map(rooms?.map((room) => [room.id, room]))
      rooms = answer.rooms
        .map((room) => newerOf(before.get(room.id), room))
        .sort((a, b) => a.name.localeCompare(b.name))
      roomsProblem = null
    } catch (error) {
      if (isSignedOut(error)) return options.onSignedOut()
      roomsProblem = (error as Error).message
      reloadRoomsSoon()
    }
    changed()
  }

  /** News and reading went on while the list was on its way; a mark that got lost is sent again. */
  const newerOf = (before: Room | undefined, room: Room): Room => {
    if (!before || (before.head <= room.head && before.read <= room.read)) return room
    if (before.read > room.read) sendRead(room.id, before.read)
    return { ...room, head: before.head, read: before.read, unread: before.unread }
  }

  const sendRead = (roomId: string, seq: number) => {
    patiently()
      .emitWithAck('room:read', { roomId, seq })
      .catch(() => undefined)
  }

  const reloadRoomsSoon = () => {
    clearTimeout(roomsTimer)
    if (!closed) roomsTimer = setTimeout(() => void reloadRooms(), retryDelayMs / 4)
  }

  // Messages

  /** Messages from anywhere: they count as unread, end up in the timeline, and prove that the sender's copy arrived. */
  const take = (roomId: string, messages: readonly Message[], head = 0, version = 0) => {
    for (const message of messages) {
      if (message.author.id === account.id) outbox.settle(message.id)
      else if (!message.deleted) stopTyping(roomId, message.author.id)
    }
    const room = rooms?.find(({ id }) => id === roomId)
    if (!room) reloadRoomsSoon()
    else {
      const fresh = messages.filter(({ seq }) => seq > room.head)
      const unread = fresh.filter(({ seq, author }) => seq > room.read && author.id !== account.id && !author.bot)
      if (fresh.length) changeRoom(roomId, () => ({ head: fresh.at(-1)!.seq, unread: room.unread + unread.length }))
      // Who wrote what lies between is known to the server only.
      if (fresh.length && fresh[0]!.seq > room.head + 1) reloadRoomsSoon()
      if (roomId === openRoom && unread.length) {
        const newest = unread.at(-1)!
        announcement = `${newest.author.name}: ${newest.body}`
      }
    }
    conversations.receive(roomId, messages, head, version)
    changed()
  }

  const conversations = createConversations({
    take,
    changed,
    isConnected: () => socket.connected,
    onSignedOut: options.onSignedOut,
  })

  const members = createMembers(changed)

  const stopTyping = (roomId: string, accountId: string) => {
    const here = typists.get(roomId)
    clearTimeout(here?.get(accountId)?.timer)
    if (here?.delete(accountId)) changed()
  }

  // Connection

  const post = async ({ roomId, id, body, replyTo = null, ...rest }: NewMessage) => {
    // A field that comes into the contract has to be sent, and shown.
    rest satisfies Record<string, never>
    const posted = await ask<Posted>(patiently().emitWithAck('message:post', { roomId, id, body, replyTo }))
    const author: Person = { id: account.id, name: account.name, avatarUrl: account.avatarUrl }
    if (!conversations.get(roomId)?.timeline.get(posted.seq)) {
      const message: Complete<Message> = {
        ...posted,
        author,
        body,
        replyTo,
        editedAt: null,
        deleted: false,
        version: 0,
      }
      take(roomId, [message])
    }
    outbox.settle(id)
  }

  const outbox = createOutbox({ accountId: account.id, post, isConnected: () => socket.connected, changed })

  /** What was missed is asked for: everything said while the line was down, and what became of the messages on the screen. */
  const catchUp = async () => {
    clearTimeout(patience)
    outbox.flush()
    connections++
    await Promise.all([reloadRooms(), conversations.catchUp()])
  }

  // Subscribe first, read then: nothing falls between. Somebody without a connection still gets to read after a moment.
  const patience = setTimeout(() => void catchUp(), 700)

  /** The server has shown this socket the door: is the session over, or is it only that server which goes? */
  const askWhy = async () => {
    // After a new password the answer with the new cookie may still be on its way.
    await new Promise((resolve) => setTimeout(resolve, retryDelayMs / 4))
    try {
      const me = await api.me()
      if (me.id !== account.id) location.reload()
    } catch (error) {
      if (isSignedOut(error)) return options.onSignedOut()
    }
    if (!closed) setTimeout(() => closed || socket.connect(), retryDelayMs * (0.5 + Math.random()))
  }

  socket.on('connect', () => void catchUp())
  socket.on('disconnect', (reason) => {
    changed()
    if (reason === 'io server disconnect') void askWhy()
  })
  socket.on('connect_error', (error) => {
    changed()
    // An inactive socket was refused by the chat itself and does not try again by itself.
    if (!socket.active) void (error.message === 'unauthenticated' ? options.onSignedOut() : askWhy())
  })
  socket.on('messages:posted', ({ roomId, messages }) => take(roomId, messages))
  const takeChange = ({ roomId, message }: { roomId: string; message: Message }) => {
    conversations.receive(roomId, [message])
    changed()
  }
  socket.on('message:edited', takeChange)
  socket.on('message:deleted', takeChange)
  socket.on('room:head', ({ roomId, head, version }) => {
    if (conversations.get(roomId)) take(roomId, [], head, version)
    else if ((rooms?.find(({ id }) => id === roomId)?.head ?? -1) < head) reloadRoomsSoon()
  })
  socket.on('room:opened', ({ room }) => openingListeners.forEach((listener) => listener(room)))
  socket.on('members:changed', (news) => {
    members.receive(news)
    // Somebody has come into the room, or left it, on another device of theirs.
    if (news.left.includes(account.id) || !rooms?.some(({ id }) => id === news.roomId)) reloadRoomsSoon()
    changed()
  })
  socket.on('person:changed', ({ person }) => {
    if (person.id === account.id) account = { ...account, ...person }
    members.change(person.id, person)
    conversations.rename(person)
    changed()
  })
  const takePresence = (changes: { accountId: string; online: boolean }[]) => {
    for (const { accountId, online } of changes) members.change(accountId, { online })
    changed()
  }
  socket.on('presence:changed', (change) => takePresence([change]))
  socket.on('presences:changed', ({ changes }) => takePresence(changes))
  socket.on('typing:changed', ({ roomId, account: person, expiresInMs }) => {
    if (person.id === account.id) return
    stopTyping(roomId, person.id)
    if (!typists.has(roomId)) typists.set(roomId, new Map())
    const timer = setTimeout(() => stopTyping(roomId, person.id), expiresInMs)
    typists.get(roomId)!.set(person.id, { person, timer })
    changed()
  })
  otherTabs.onmessage = ({ data }: MessageEvent<{ roomId: string; seq: number }>) => {
    changeRoom(data.roomId, (room) => (data.seq > room.read ? { read: data.seq, unread: 0 } : {}))
    changed()
  }

  return {
    get account() {
      return account
    },
    get rooms() {
      return rooms
    },
    get roomsProblem() {
      return roomsProblem
    },
    get connected() {
      return socket.connected
    },
    get announcement() {
      return announcement
    },
    get connections() {
      return connections
    },
    outbox,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    open: (roomId) => {
      openRoom = roomId
      announcement = ''
      conversations.open(roomId)
    },
    conversations,
    members,
    onRoomOpened: (listener) => {
      openingListeners.add(listener)
      return () => void openingListeners.delete(listener)
    },
    reloadRooms,
    post: (message) => outbox.add({ ...message, id: newId() }),
    edit: async (roomId, seq, body) => {
      const message = await ask<Message>(patiently().emitWithAck('message:edit', { roomId, seq, body }))
      takeChange({ roomId, message })
    },
    remove: async (roomId, seq) => {
      const message = await ask<Message>(patiently().emitWithAck('message:delete', { roomId, seq }))
      takeChange({ roomId, message })
    },
    markRead: (roomId, seq) => {
      const room = rooms?.find(({ id }) => id === roomId)
      if (!room || seq <= room.read || !socket.connected) return
      changeRoom(roomId, () => ({ read: seq, unread: 0 }))
      otherTabs.postMessage({ roomId, seq })
      sendRead(roomId, seq)
      changed()
    },
    type: (roomId) => {
      if (!socket.connected || Date.now() - lastTyped < typingEveryMs) return
      lastTyped = Date.now()
      socket.emit('typing:start', { roomId })
    },
    typing: (roomId) => [...(typists.get(roomId)?.values() ?? [])].map(({ person }) => person),
    changeAccount: (changedAccount) => {
      account = changedAccount
      changed()
    },
    signOut: async () => {
      await api.signOut()
      options.onSignedOut()
    },
    close: () => {
      closed = true
      conversations.close()
      clearTimeout(patience)
      clearTimeout(roomsTimer)
      outbox.close()
      otherTabs.close()
      socket.disconnect()
    },
  }
}

/** `domain` is the origin of the chat server; empty for the page's own. */
export function connectTo(domain: string): ChatSocket {
  const { protocol, hostname, port } = new URL(domain || location.origin)
  return new Manager({ hostname, port, secure: protocol === 'https:', transports: ['websocket'] }).socket('/')
}

// crypto.randomUUID is missing on pages served without TLS.
const newId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
