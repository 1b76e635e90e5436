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

/** One PostgreSQL session without a network: takes complete messages of the wire protocol, and returns its answers. */
export type Backend = (messages: Buffer) => Promise<Buffer>

export interface Pooler {
  server: Server
  /** Accepts no new clients, disconnects the others, and rolls back their open transactions. */
  close(): Promise<void>
}

/**
 * Shares one backend between many connections, pooled per transaction as PgBouncer does. A client has the backend alone
 * from its first message until the backend is idle again; the other clients wait in a queue. All clients would share
 * whatever lives longer than a transaction, so they must not use it: no SET, no LISTEN, no named statements, no session locks, no temporary tables.
 * @param parameters sent to each client when it connects: `server_version` and others.
 * @param onFault called with an error of the backend itself (not of a statement); the backend is then unusable.
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
    /** Messages that can wait: the backend answers only after a Query, Sync or Flush. */
    let batch: Buffer[] = []
    /** Set while this client uses the backend. */
    let endTurn: (() => void) | undefined
    /** Batches in the order of their arrival; each starts after the answer to the previous one. */
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
      // The backend finishes a statement before it reads more bytes, so a request to cancel always comes too late.
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
          // COPY FROM STDIN would read past the end and crash the backend. A CopyFail directly after it makes it an
          // error of that statement; after every other statement the backend ignores the CopyFail.
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
          return // the statement has already failed, see above
        case fromClient.terminate:
          socket.end()
          return
        case undefined:
        default:
          // The backend would wait for ever after an unknown message.
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
        // First a Sync: after an error in a batch without a Sync, the backend skips all other messages.
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
        socket.destroy() // the client does not use PostgreSQL's protocol
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
        setTimeout(() => socket.destroy(), 500) // if the client does not close the connection
      }
      await Promise.all(sockets.values())
      await takeTurn()
    },
  }
}

/** A queue. Resolves when the turn of the caller begins, to the function that ends this turn. */
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
