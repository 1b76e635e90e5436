import { Counter } from 'prom-client'
import type { Log } from '../platform/log.js'
import { networkSocket, packetsWaiting, type Connection } from './connection.js'

interface SlowReadersOptions {
  log: Log
  /** How many bytes may be queued for a reader. */
  bytesAtMost?: number
  /** How long a reader may take nothing while bytes are queued for it, in ms. */
  idleAtMostMs?: number
}

const cutOff = new Counter({ name: 'chat_slow_readers_total', help: 'Connections closed because they read too slowly' })

/**
 * Closes connections that do not read what they are sent, because the queue of each of them takes memory. Their clients
 * may connect again and ask for what they missed.
 */
export function createSlowReaders({ log, bytesAtMost = 1024 * 1024, idleAtMostMs = 10_000 }: SlowReadersOptions) {
  const seen = new WeakMap<Connection, { taken: number; at: number }>()

  return {
    /** Call it every second or so with all connections: it compares each of them with the time before. */
    cut(connections: Iterable<Connection>) {
      for (const connection of connections) {
        const socket = networkSocket(connection)
        const bytes = packetsWaiting(connection).reduce(
          (sum, { data }) => sum + (data?.length ?? 0),
          socket.writableLength,
        )
        const taken = socket.bytesWritten - socket.writableLength
        const before = seen.get(connection)
        if (bytes === 0 || before?.taken !== taken) seen.set(connection, { taken, at: performance.now() })
        const idleMs = performance.now() - (seen.get(connection)?.at ?? Infinity)
        if (bytes <= bytesAtMost && idleMs < idleAtMostMs) continue
        log.warn({ bytes, idleMs: Math.round(idleMs) }, 'a reader that takes nothing is cut off')
        cutOff.inc()
        socket.destroy()
      }
    },
  }
}
