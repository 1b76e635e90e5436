import type { Message, Room } from '@chat/server/contract'

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
  /** Marks the messages up to `seq` as read. */
  markRead: (roomId: string, seq: number) => void
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
  const sendMark = (roomId: string, seq: number) => {
    connection.ask('room:read', { roomId, seq }).catch(() => undefined)
  }

  const reload = async () => {
    clearTimeout(timer)
    try {
      const answer = await api.rooms()
      list = answer.rooms.map((room) => newerOf(get(room.id), room))
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
    if (!before || (before.head <= room.head && before.read <= room.read)) return room
    if (before.read > room.read) sendMark(room.id, before.read)
    return { ...room, head: before.head, read: before.read, unread: before.unread }
  }

  otherTabs.onmessage = ({ data: { roomId, seq } }: MessageEvent<{ roomId: string; seq: number }>) => {
    if (seq > (get(roomId)?.read ?? Infinity)) change(roomId, { read: seq, unread: 0 })
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
      change(roomId, { head: fresh.at(-1)!.seq, unread: room.unread + unread.length })
      // Only the server knows who wrote the messages in between.
      if (fresh[0]!.seq > room.head + 1) reloadSoon()
      return unread
    },
    markRead: (roomId, seq) => {
      if (seq <= (get(roomId)?.read ?? Infinity) || !connection.connected) return
      otherTabs.postMessage({ roomId, seq })
      sendMark(roomId, seq)
      change(roomId, { read: seq, unread: 0 })
    },
    close: () => {
      closed = true
      clearTimeout(timer)
      otherTabs.close()
    },
  }
}
