import type { Message, Person, Room } from '@chat/server/contract'

import { api, isSignedOut } from '../api.js'
import type { Connection } from './connection.js'
import { createListeners, type Store } from './store.js'

/** The rooms of the account, with their unread counts. */
export interface Rooms extends Store {
  /** Sorted by name, by the server. Null until loaded. */
  readonly list: Room[] | null
  readonly problem: string | null
  get: (roomId: string) => Room | undefined
  reload: () => Promise<void>
  /** Reloads after a moment, so that several calls make one request. */
  reloadSoon: () => void
  /** Counts messages that have arrived. Returns the unread ones. */
  receive: (roomId: string, messages: readonly Message[]) => Message[]
  /** Updates a person in direct conversations. */
  rename: (person: Person) => void
  /** Updates a room with what the server has said about it. */
  put: (room: Partial<Room> & Pick<Room, 'id'>) => void
  /** Marks the messages up to `seq` as read. */
  markRead: (roomId: string, seq: number) => void
  /** Marks a message and those after it as unread. They stay so until the room is opened again. */
  markUnread: (roomId: string, seq: number) => Promise<void>
  /** A room is opened: what is seen there counts as read again. */
  opened: () => void
  close: () => void
}

const reloadDelayMs = 500

export function createRooms({
  accountId,
  connection,
  onSignedOut,
}: {
  accountId: string
  connection: Pick<Connection, 'connected' | 'ask'>
  onSignedOut: () => void
}): Rooms {
  const { changed, subscribe } = createListeners()
  const otherTabs = new BroadcastChannel(`chat.${accountId}`)
  let list: Room[] | null = null
  let problem: string | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let closed = false

  const get = (roomId: string) => list?.find(({ id }) => id === roomId)
  const change = (roomId: string, to: Partial<Room>) => {
    list = list?.map((room) => (room.id === roomId ? { ...room, ...to } : room)) ?? null
    changed()
  }
  /** Read marks that a list of rooms may not contain yet. */
  const unconfirmed = new Map<string, number>()
  /** The rooms whose marks the server has confirmed. A list that is requested from now on contains them. */
  const confirmed = new Set<string>()
  /** The room whose messages stay unread while they are seen. */
  let kept: string | null = null
  const sendMark = (roomId: string, seq: number) => {
    unconfirmed.set(roomId, seq)
    confirmed.delete(roomId)
    connection.ask('room:read', { roomId, seq }).then(
      () => unconfirmed.get(roomId) === seq && confirmed.add(roomId),
      () => undefined,
    )
  }

  const reload = async () => {
    clearTimeout(timer)
    for (const roomId of confirmed) unconfirmed.delete(roomId)
    confirmed.clear()
    try {
      const answer = await api.rooms()
      list = answer.rooms.map((room) => newerOf(get(room.id), completed(room)))
      problem = null
    } catch (error) {
      if (isSignedOut(error)) return onSignedOut()
      problem = (error as Error).message
      reloadSoon()
    }
    changed()
  }

  const reloadSoon = () => {
    clearTimeout(timer)
    if (!closed) timer = setTimeout(() => void reload(), reloadDelayMs)
  }

  /** The newer of two states: messages may arrive and be read while the list loads. A lost read mark is sent again. */
  const newerOf = (before: Room | undefined, room: Room): Room => {
    const mark = unconfirmed.get(room.id) ?? 0
    if (!before || (before.head <= room.head && mark <= room.read)) return room
    if (mark > room.read) sendMark(room.id, mark)
    return { ...room, head: before.head, read: before.read, unread: before.unread, mentions: before.mentions }
  }

  otherTabs.onmessage = ({ data: { roomId, seq } }: MessageEvent<{ roomId: string; seq: number }>) => {
    if (seq <= (get(roomId)?.read ?? Infinity)) return
    unconfirmed.set(roomId, seq)
    confirmed.add(roomId)
    change(roomId, { read: seq, unread: 0, mentions: 0 })
  }

  return {
    subscribe,
    get list() {
      return list
    },
    get problem() {
      return problem
    },
    get,
    reload,
    reloadSoon,
    receive: (roomId, messages) => {
      const room = get(roomId)
      if (!room) {
        reloadSoon()
        return []
      }
      const fresh = messages.filter(({ seq }) => seq > room.head)
      if (!fresh.length) return []
      const unread = fresh.filter(({ seq, author }) => seq > room.read && author.id !== accountId && !author.bot)
      const named = unread.filter((message) => isNamed(message, accountId))
      change(roomId, {
        head: fresh.at(-1)!.seq,
        unread: room.unread + unread.length,
        mentions: room.mentions + named.length,
      })
      // Only the server knows who wrote the messages in between.
      if (fresh[0]!.seq > room.head + 1) reloadSoon()
      return unread
    },
    put: (room) => change(room.id, room),
    rename: (person) => {
      for (const { id, people } of list ?? []) {
        if (!people.some((each) => each.id === person.id)) continue
        const now = people.map((each) => (each.id === person.id ? person : each))
        change(id, { people: now, name: now.map(({ name }) => name).join(', ') })
      }
    },
    markRead: (roomId, seq) => {
      if (roomId === kept || seq <= (get(roomId)?.read ?? Infinity) || !connection.connected) return
      otherTabs.postMessage({ roomId, seq })
      sendMark(roomId, seq)
      change(roomId, { read: seq, unread: 0, mentions: 0 })
    },
    markUnread: async (roomId, seq) => {
      kept = roomId
      unconfirmed.delete(roomId)
      const { read } = await connection.ask<{ read: number }>('room:unread', { roomId, seq })
      change(roomId, { read })
      await reload()
    },
    opened: () => {
      kept = null
    },
    close: () => {
      closed = true
      clearTimeout(timer)
      otherTabs.close()
    },
  }
}

/** Does the message name the account, or all people of the room? */
export const isNamed = ({ mentions }: Message, accountId: string): boolean =>
  mentions.some(({ id }) => id === accountId || id === null)

/** Does the account want to be notified of this message? */
export function isWanted(room: Room, message: Message, accountId: string): boolean {
  if (room.notify === 'mentions') return room.kind === 'direct' || isNamed(message, accountId)
  return room.notify === 'all'
}

/** During a rollout, a server of an older release may answer, without these fields. */
const completed = (room: Room): Room => ({
  ...{ people: [], mentions: 0, notify: 'mentions' as const, topic: '', archived: false, mine: false },
  ...room,
})
