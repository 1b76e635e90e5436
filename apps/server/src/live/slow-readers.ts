import type { Log } from '../platform/log.js'
import type { Socket } from 'socket.io'

type Connection = Socket['conn']

/** engine.io keeps what it cannot write yet in a private list, and tells nobody how long it is. */
const lineOf = (connection: Connection) =>
  (connection as unknown as { writeBuffer: { data?: { length: number } }[] }).writeBuffer

interface SlowReadersOptions {
  log: Log
  /** How much may wait for a reader, in bytes. */
  bytesAtMost?: number
  /** How long a reader for whom something waits may take nothing, in ms. */
  idleAtMostMs?: number
}

/**
 * Cuts connections that do not take what they are sent: it would pile up in memory, for each of them. They may come
 * back, and ask for what they missed.
 */
export function createSlowReaders({ log, bytesAtMost = 1024 * 1024, idleAtMostMs = 10_000 }: SlowReadersOptions) {
  const seen = new WeakMap<Connection, { taken: number; at: number }>()

  return {
    /** To be called again and again, with all connections there are. */
    cut(connections: Iterable<Connection>) {
      for (const connection of connections) {
        const { socket } = connection.request
        const bytes = lineOf(connection).reduce((sum, { data }) => sum + (data?.length ?? 0), socket.writableLength)
        const taken = socket.bytesWritten - socket.writableLength
        const before = seen.get(connection)
        if (bytes === 0 || before?.taken !== taken) seen.set(connection, { taken, at: performance.now() })
        const idleMs = performance.now() - (seen.get(connection)?.at ?? Infinity)
        if (bytes <= bytesAtMost && idleMs < idleAtMostMs) continue
        log.warn({ bytes, idleMs: Math.round(idleMs) }, 'a reader that takes nothing is cut off')
        socket.destroy()
      }
    },
  }
}
