import { createServer, type Server, type Socket } from 'node:net'
import {
  fatal,
  fromClient,
  greeting,
  message,
  MessageReader,
  query,
  readyStatus,
  startupCode,
  startupCodeOf,
} from './pg-protocol.js'

/** One PostgreSQL session without a network: takes whole messages of the wire protocol, returns what it answers. */
export type Backend = (messages: Buffer) => Promise<Buffer>

export interface Pooler {
  server: Server
  /** Takes no new clients, ends the present ones, rolls back what they left open. */
  close(): Promise<void>
}

/**
 * Puts many connections on one backend, pooled per transaction as PgBouncer does: a client has the backend to itself
 * from its first message until the backend is idle again, and the others wait in line. So everything that outlives a
 * transaction is shared by all: no SET, no LISTEN, no named statements, no session locks, no temporary tables.
 * @param parameters what clients are told about the backend when they connect: `server_version` and the like.
 * @param onFault called with an error of the backend itself (not of a statement): it cannot be used any more.
 */
export function createPooler(
  backend: Backend,
  parameters: Record<string, string>,
  onFault: (error: unknown) => void,
): Pooler {
  const takeTurn = createLine()
  const sockets = new Map<Socket, Promise<void>>()

  function serve(socket: Socket) {
    const reader = new MessageReader()
    /** Messages the backend need not see yet: nothing is answered before a Query, Sync or Flush. */
    let batch: Buffer[] = []
    /** Set while this client has the backend. */
    let endTurn: (() => void) | undefined
    /** Batches in the order they came; each starts when the one before is answered. */
    let work = Promise.resolve()

    const run = async (messages: Buffer) => {
      endTurn ??= await takeTurn()
      const answer = await backend(messages)
      if (!socket.destroyed) socket.write(answer)
      if (readyStatus(answer) !== 'I') return
      endTurn()
      endTurn = undefined
    }
    const enqueue = (step: () => Promise<void>) => (work = work.then(step).catch(onFault))

    const start = (first: Buffer) => {
      const code = startupCodeOf(first)
      if (code === startupCode.ssl || code === startupCode.gss) socket.write('N')
      // A statement runs to its end before the next bytes are read, so a request to cancel always comes too late.
      else if (code === startupCode.cancel) socket.end()
      else if (code >>> 16 !== 3) socket.end(fatal('0A000', 'unsupported frontend protocol'))
      else {
        reader.isStarted = true
        socket.write(greeting(parameters))
      }
    }

    const take = (received: Buffer) => {
      if (socket.writableEnded) return
      switch (received[0]) {
        case fromClient.query:
        case fromClient.execute:
          // COPY FROM STDIN would read more than there is and take the whole backend down. A CopyFail right behind
          // turns it into an error of that statement; after any other statement it is ignored.
          batch.push(
            received,
            message(fromClient.copyFail, 'COPY FROM STDIN is not supported by the embedded database\0'),
          )
          break
        case fromClient.parse:
        case fromClient.bind:
        case fromClient.describe:
        case fromClient.close:
        case fromClient.flush:
        case fromClient.sync:
          batch.push(received)
          break
        case fromClient.copyData:
        case fromClient.copyDone:
        case fromClient.copyFail:
          return // the statement has failed already, see above
        case fromClient.terminate:
          socket.end()
          return
        case undefined:
        default:
          // The backend would wait for ever at a message that it does not know.
          socket.end(fatal('08P01', 'unknown message type'))
          return
      }
      if (received[0] !== fromClient.query && received[0] !== fromClient.sync && received[0] !== fromClient.flush)
        return
      const messages = Buffer.concat(batch)
      batch = []
      void enqueue(() => run(messages))
    }

    const gone = new Promise<void>((resolve) =>
      socket.once('close', () => {
        // Sync first: after an error in a batch without one, the backend skips everything else.
        const rollback = Buffer.concat([message(fromClient.sync), query('rollback')])
        void enqueue(async () => {
          if (endTurn !== undefined) await run(rollback)
          sockets.delete(socket)
          resolve()
        })
      }),
    )
    sockets.set(socket, gone)
    socket.setNoDelay(true)
    socket.on('error', () => undefined) // 'close' follows
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.read(chunk, (received) => (reader.isStarted ? take(received) : start(received)))
      } catch {
        socket.destroy() // not PostgreSQL's protocol
      }
    })
  }

  const server = createServer(serve)
  return {
    server,
    async close() {
      server.close()
      for (const socket of sockets.keys()) {
        socket.end(fatal('57P01', 'terminating connection due to administrator command'))
        setTimeout(() => socket.destroy(), 500) // for a client that does not hang up
      }
      await Promise.all(sockets.values())
      await takeTurn()
    },
  }
}

/** First come, first served: resolves when it is one's turn, to the function that ends it. */
function createLine(): () => Promise<() => void> {
  let last = Promise.resolve()
  return async () => {
    const before = last
    let end = () => {}
    last = new Promise((resolve) => (end = resolve))
    await before
    return end
  }
}
