import { io, type Socket } from 'socket.io-client'

import type { ClientToServerEvents, ErrorBody, ServerToClientEvents } from '@chat/server/contract'

import { api, isSignedOut } from '../api.js'
import { Refused } from './outbox.js'
import { createListeners, type Store } from './store.js'

export type ChatSocket = Socket<ServerToClientEvents, ClientToServerEvents>
type Payload<Event extends keyof ClientToServerEvents> = Parameters<ClientToServerEvents[Event]>[0]

/** The connection to the server. It reconnects by itself. */
export interface Connection extends Store {
  readonly connected: boolean
  /** How many times it has connected. Data loaded before the last time may be out of date. */
  readonly count: number
  on: <Event extends keyof ServerToClientEvents>(event: Event, listener: ServerToClientEvents[Event]) => void
  /** Resolves with the data of the answer. Rejects with `Refused` if the server refuses, else with another error. */
  ask: <T>(event: keyof ClientToServerEvents, payload: Payload<keyof ClientToServerEvents>) => Promise<T>
  /** Sends an event that needs no answer, if there is a connection. */
  tell: (event: 'typing:start', payload: Payload<'typing:start'>) => void
  close: () => void
}

const answerPatienceMs = 10_000
const retryDelayMs = 2000

export function createConnection({
  socket,
  accountId,
  onConnected,
  onSignedOut,
}: {
  socket: ChatSocket
  accountId: string
  /** Called after each connect, and once soon after the start if there is no connection yet. */
  onConnected: () => void
  /** Called when the session has ended, here or in another tab. */
  onSignedOut: () => void
}): Connection {
  const { changed, subscribe } = createListeners()
  let count = 0
  let closed = false

  const connected = () => {
    clearTimeout(patience)
    count++
    onConnected()
    changed()
  }
  // Load after connecting, so that no message is missed in between. Without a connection, load after a moment anyway.
  const patience = setTimeout(connected, 700)

  /** The server closed this socket. Has the session ended, or is the server only shutting down? */
  const askWhy = async () => {
    // After a change of the password, the response with the new cookie may not have arrived yet.
    await new Promise((resolve) => setTimeout(resolve, retryDelayMs / 4))
    try {
      const me = await api.me()
      if (me.id !== accountId) location.reload()
    } catch (error) {
      if (isSignedOut(error)) return onSignedOut()
    }
    if (!closed) setTimeout(() => closed || socket.connect(), retryDelayMs * (0.5 + Math.random()))
  }

  socket.on('connect', connected)
  socket.on('disconnect', (reason) => {
    changed()
    if (reason === 'io server disconnect') void askWhy()
  })
  socket.on('connect_error', (error) => {
    changed()
    // The server refused an inactive socket, which does not reconnect by itself.
    if (!socket.active) void (refusalOf(error)?.code === 'unauthenticated' ? onSignedOut() : askWhy())
  })

  return {
    subscribe,
    get connected() {
      return socket.connected
    },
    get count() {
      return count
    },
    on: (event, listener) => socket.on(event, listener as never),
    ask: async <T>(event: keyof ClientToServerEvents, payload: Payload<keyof ClientToServerEvents>) => {
      const answer: unknown = await socket
        .timeout(answerPatienceMs)
        .emitWithAck(event as 'message:edit', payload as never)
      const { data, error } = answer as { data?: T; error?: ErrorBody }
      if (error) throw new Refused(error.code, error.message)
      return data as T
    },
    tell: (event, payload) => {
      if (socket.connected) socket.emit(event, payload)
    },
    close: () => {
      closed = true
      clearTimeout(patience)
      socket.disconnect()
    },
  }
}

/** The server's reason to refuse a connection; undefined when the server could not be reached. */
const refusalOf = (error: Error) => (error as { data?: ErrorBody }).data

/** `domain` is the origin of the chat server; empty for the page's own. */
export const connectTo = (domain: string): ChatSocket => io(domain || location.origin, { transports: ['websocket'] })
