import type { Person, ServerToClientEvents } from '@chat/server/contract'

import type { Connection } from './connection.js'
import { createListeners, type Store } from './store.js'

/** Who is typing in which room. Each entry expires after a while. */
export interface Typing extends Store {
  in: (roomId: string) => Person[]
  /** A person is typing in a room. */
  receive: (news: Parameters<ServerToClientEvents['typing:changed']>[0]) => void
  /** Removes a person whose message has arrived. */
  stop: (roomId: string, accountId: string) => void
  /** Tells the other members that this account is typing. */
  tell: (roomId: string) => void
  /** This account has sent what it typed: the next text is told at once. */
  sent: () => void
}

const tellEveryMs = 2500

export function createTyping(connection: Pick<Connection, 'tell'>): Typing {
  const { changed, subscribe } = createListeners()
  const rooms = new Map<string, Map<string, { person: Person; timer: ReturnType<typeof setTimeout> }>>()
  let told = { roomId: '', at: 0 }

  const stop = (roomId: string, accountId: string) => {
    const here = rooms.get(roomId)
    clearTimeout(here?.get(accountId)?.timer)
    if (here?.delete(accountId)) changed()
  }

  return {
    subscribe,
    in: (roomId) => [...(rooms.get(roomId)?.values() ?? [])].map(({ person }) => person),
    receive: ({ roomId, account: person, expiresInMs }) => {
      stop(roomId, person.id)
      if (!rooms.has(roomId)) rooms.set(roomId, new Map())
      const timer = setTimeout(() => stop(roomId, person.id), expiresInMs)
      rooms.get(roomId)!.set(person.id, { person, timer })
      changed()
    },
    stop,
    tell: (roomId) => {
      if (told.roomId === roomId && Date.now() - told.at < tellEveryMs) return
      told = { roomId, at: Date.now() }
      connection.tell('typing:start', { roomId })
    },
    sent: () => {
      told = { roomId: '', at: 0 }
    },
  }
}
