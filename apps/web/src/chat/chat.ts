import {
  unpackPosted,
  type Account,
  type Complete,
  type Message,
  type NewMessage,
  type NotifyLevel,
  type Person,
  type Posted,
  type Room,
} from '@chat/server/contract'

import { api } from '../api.js'
import { createConnection, type ChatSocket, type Connection } from './connection.js'
import { createConversations, type Conversations } from './conversations.js'
import { createMembers, type Members } from './members.js'
import { createOutbox, type Outbox, type Outgoing } from './outbox.js'
import { createRooms, isWanted, type Rooms } from './rooms.js'
import { createListeners, type Store } from './store.js'
import { createTyping, type Typing } from './typing.js'

/** The signed-in account. It can also change on another device. */
export interface Me extends Store {
  readonly account: Account
  change: (account: Account) => void
}

/** The state of the chat for one account, kept up to date until `close`. Views subscribe to the stores they show. */
export interface Chat {
  readonly me: Me
  readonly connection: Connection
  readonly rooms: Rooms
  readonly conversations: Conversations
  readonly members: Members
  readonly typing: Typing
  readonly outbox: Outbox
  /** The newest message of the open room, for screen readers. Subscribe to `conversations` for its changes. */
  readonly announcement: Message | null
  /** Opens a room and loads its messages, again after each reconnect. Null closes it. */
  open: (roomId: string | null) => void
  /** Calls `listener` for each new public room. Returns a function that unsubscribes. */
  onRoomOpened: (listener: (room: Room) => void) => () => void
  post: (message: Omit<Outgoing, 'id' | 'queuedAt'>) => void
  edit: (roomId: string, seq: number, body: string) => Promise<void>
  /** Adds an emoji to a message, or takes it back. */
  react: (roomId: string, seq: number, emoji: string, on: boolean) => Promise<void>
  remove: (roomId: string, seq: number) => Promise<void>
  /** Sets of which messages of a room the account is notified. */
  notify: (roomId: string, level: NotifyLevel) => Promise<void>
  /** The direct conversation with other people. It is in the list of rooms then. */
  beginDirect: (people: string[]) => Promise<Room>
  /** Ends the session in all tabs of this browser. */
  signOut: () => Promise<void>
  close: () => void
}

export function createChat({
  account,
  connect,
  onWanted,
  onSignedOut,
}: {
  account: Account
  connect: () => ChatSocket
  /** Called for an unread message of which the account wants to be notified. */
  onWanted: (room: Room, message: Message) => void
  /** Called when the session has ended, here or in another tab. */
  onSignedOut: () => void
}): Chat {
  const accountId = account.id
  const openingListeners = new Set<(room: Room) => void>()
  let openRoom: string | null = null
  let announcement: Message | null = null

  /** Takes live and loaded messages: counts the unread ones, shows them, and removes own ones from the outbox. */
  const take = (roomId: string, messages: readonly Message[], head = 0, version = 0) => {
    for (const message of messages) {
      if (message.author.id === accountId) outbox.arrived(message.id)
      else if (!message.deleted) typing.stop(roomId, message.author.id)
    }
    const unread = rooms.receive(roomId, messages)
    if (unread.length > 0 && roomId === openRoom) announcement = unread.at(-1)!
    const room = rooms.get(roomId)
    const wanted = room && unread.findLast((message) => isWanted(room, message, accountId))
    if (wanted) onWanted(room, wanted)
    conversations.receive(roomId, messages, head, version)
  }

  const post = async ({ roomId, id, body, replyTo = null, ...rest }: NewMessage) => {
    // A new field of `NewMessage` is a compile error here: it must be sent, and shown.
    rest satisfies Record<string, never>
    const posted = await connection.ask<Posted>('message:post', { roomId, id, body, replyTo })
    if (!conversations.get(roomId)?.timeline.get(posted.seq)) {
      const message: Complete<Message> = {
        ...posted,
        author: personOf(me.account),
        body,
        replyTo,
        editedAt: null,
        deleted: false,
        mentions: [],
        reactions: [],
        version: 0,
      }
      take(roomId, [message])
    }
    outbox.arrived(id)
  }
  const takeChange = ({ roomId, message }: { roomId: string; message: Message }) =>
    conversations.receive(roomId, [message])

  const me = createMe(account)
  const connection = createConnection({
    socket: connect(),
    accountId,
    onSignedOut,
    /** Loads the messages and changes that were missed while there was no connection. */
    onConnected: () => {
      outbox.flush()
      void rooms.reload()
      void conversations.catchUp()
    },
  })
  const isConnected = () => connection.connected
  const rooms = createRooms({ accountId, connection, onSignedOut })
  const members = createMembers()
  const typing = createTyping(connection)
  const conversations = createConversations({ take, isConnected, onSignedOut })
  const outbox = createOutbox({ accountId, post, isConnected })

  connection.on('messages:posted', (news) => take(news.roomId, unpackPosted(news).messages))
  connection.on('message:edited', takeChange)
  connection.on('message:deleted', takeChange)
  connection.on('room:head', ({ roomId, head, version }) => {
    if (conversations.get(roomId)) take(roomId, [], head, version)
    else if ((rooms.get(roomId)?.head ?? -1) < head) rooms.reloadSoon()
  })
  connection.on('room:changed', ({ roomId, details }) => {
    rooms.put({ id: roomId, ...details })
    // It may have another place in the list.
    rooms.reloadSoon()
  })
  connection.on('room:opened', ({ room }) => openingListeners.forEach((listener) => listener(room)))
  connection.on('members:changed', (news) => {
    members.receive(news)
    // The account has joined or left the room on another device.
    if (news.left.includes(accountId) || !rooms.get(news.roomId)) rooms.reloadSoon()
  })
  connection.on('person:changed', ({ person }) => {
    if (person.id === accountId) me.change({ ...me.account, ...person })
    members.change(person.id, person)
    rooms.rename(person)
    conversations.rename(person)
  })
  connection.on('presence:changed', ({ accountId, online }) => members.change(accountId, { online }))
  connection.on('presences:changed', ({ changes }) => members.changeAll(changes))
  connection.on('typing:changed', (news) => {
    if (news.account.id !== accountId) typing.receive(news)
  })

  return {
    me,
    connection,
    rooms,
    conversations,
    members,
    typing,
    outbox,
    get announcement() {
      return announcement
    },
    open: (roomId) => {
      openRoom = roomId
      announcement = null
      rooms.opened()
      conversations.open(roomId)
    },
    onRoomOpened: (listener) => {
      openingListeners.add(listener)
      return () => void openingListeners.delete(listener)
    },
    post: (message) => outbox.add({ ...message, id: newId() }),
    edit: async (roomId, seq, body) => {
      takeChange({ roomId, message: await connection.ask<Message>('message:edit', { roomId, seq, body }) })
    },
    react: async (roomId, seq, emoji, on) => {
      takeChange({ roomId, message: await connection.ask<Message>('message:react', { roomId, seq, emoji, on }) })
    },
    remove: async (roomId, seq) => {
      takeChange({ roomId, message: await connection.ask<Message>('message:delete', { roomId, seq }) })
    },
    notify: async (roomId, level) => {
      rooms.put(await api.notify(roomId, level))
    },
    beginDirect: async (people) => {
      const known = rooms.list?.find(
        (room) =>
          room.kind === 'direct' &&
          room.people.length === people.length &&
          room.people.every(({ id }) => people.includes(id)),
      )
      if (known) return known
      const room = await api.beginDirect(people)
      await rooms.reload()
      return room
    },
    signOut: async () => {
      await api.signOut()
      onSignedOut()
    },
    close: () => {
      conversations.close()
      rooms.close()
      outbox.close()
      connection.close()
    },
  }
}

/** An account as the others see it. */
const personOf = ({ id, name, avatarUrl }: Account): Person => ({ id, name, avatarUrl })

function createMe(account: Account): Me {
  const { changed, subscribe } = createListeners()
  return {
    subscribe,
    get account() {
      return account
    },
    change: (to) => {
      account = to
      changed()
    },
  }
}

// Pages served without TLS have no `crypto.randomUUID`.
const newId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
