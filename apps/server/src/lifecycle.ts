import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connections } from './adapters.js'
import type { Config } from './config.js'
import type { Bus, Consumer } from './events/bus.js'
import type { Relay } from './events/relay.js'
import { isLoopback } from './http/http.js'
import type { Sockets } from './live/sockets.js'
import { within } from './platform/deadline.js'
import type { Database } from './platform/db.js'
import type { Log } from './platform/log.js'
import { startOpsServer, type OpsServer } from './platform/ops-server.js'
import { repeat, type Repeated } from './platform/repeat.js'
import { compareSchema, untilSchemaIsCurrent } from './platform/schema.js'
import type { Storage } from './storage/storage.js'

export interface Lifecycle {
  /** The URL for people, and the port on which the server listens. `start` sets both. */
  url: string
  port: number
  start(): Promise<void>
  stop(): Promise<void>
}

interface LifecycleOptions {
  config: Config
  log: Log
  connections: Connections
  storage: Storage
  http: HttpServer
  sockets: Pick<Sockets, 'drain'>
  news: { stop(): void }
  /** Null when the worker handles events. */
  events: { bus: Bus; relay: Relay; consumersFor: (publicUrl: string) => Consumer[] } | null
  /** `stop` aborts it. */
  leaving: AbortController
  isReady: () => Promise<boolean>
  publishAssets: () => Promise<void>
  /** Work that is repeated from `start` to `stop`. */
  repeated: Repeated[]
  /** Slices that send notifications in batches. They are stopped after the sockets. */
  notifiers: { stop(): Promise<void> }[]
}

const startPatienceMs = 3_000

/** Starts and stops the parts of a server in the right order. */
export function createLifecycle({
  config,
  log,
  connections,
  storage,
  http,
  sockets,
  news,
  events,
  leaving,
  isReady,
  publishAssets,
  repeated,
  notifiers,
}: LifecycleOptions): Lifecycle {
  const { db, redis, hints } = connections
  let ops: OpsServer | undefined
  let repeating: ReturnType<typeof repeat>[] = []

  const lifecycle: Lifecycle = {
    url: '',
    port: 0,

    async start() {
      log.info(
        {
          database: 'postgres',
          sessions: config.sessions.store.kind,
          bus: config.bus.kind,
          storage: config.storage.kind,
          mail: config.mail.kind,
        },
        'starting with these adapters',
      )
      if (config.storage.kind === 'disk') await storage.prepare()
      // Wait a moment for Redis and storage, so that the first visitor has sessions, live events and assets. Without them the
      // server starts all the same.
      await within(
        startPatienceMs,
        'Waiting for Redis and storage',
        Promise.allSettled([redis?.ready, hints.ready, publishAssets()]),
      ).catch(() => undefined)
      http.listen(config.port, config.host)
      await once(http, 'listening')
      const { port } = http.address() as AddressInfo
      const url = config.publicUrl ?? `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${port}`
      lifecycle.port = port
      lifecycle.url = url
      if (config.publicUrl === null && !isLoopback(config.host)) {
        log.warn(
          { host: config.host },
          'only requests to localhost are answered. Set PUBLIC_URL to the URL that people open',
        )
      }
      ops = await startOpsServer({ host: config.host, port: config.metricsPort, version: config.version, isReady })

      if (events !== null) {
        for (const consumer of events.consumersFor(url)) await events.bus.subscribe(consumer)
        void untilSchemaIsCurrent(db, { log, signal: leaving.signal }).then(
          () => events.relay.start(),
          () => undefined,
        )
      }
      repeating = repeated.map((each) => repeat({ ...each, log }))
    },

    /** First /readyz answers 503. When no more traffic comes, current work is finished and all parts close in reverse order. */
    async stop() {
      leaving.abort()
      // Stop handling events now: a newer release may already handle them differently.
      const relayed = events?.relay.stop()
      await sleep(config.drainMs)
      // From now on no message waits, so that clients get all messages before they are disconnected.
      news.stop()
      await sockets.drain(config.drainMs)
      await Promise.all([...repeating, ...notifiers].map((each) => each.stop()))
      await relayed
      await events?.bus.close()
      ops?.close()
      await connections.close()
    },
  }
  return lifecycle
}

/** The server is ready while the database answers and has the schema of this release, and the process is not stopping. */
export function createReadiness({ db, leaving }: { db: Database; leaving: AbortSignal }): () => Promise<boolean> {
  let schemaIsCurrent = false
  let verdict: Promise<boolean> | undefined

  async function askDatabase(): Promise<boolean> {
    try {
      // Under heavy load every connection is busy. The server is ready nevertheless.
      if (schemaIsCurrent && db.isAnswering()) return true
      if (schemaIsCurrent) await db.query('select 1')
      else schemaIsCurrent = (await compareSchema(db)).missing.length === 0
      return schemaIsCurrent
    } catch {
      return false
    }
  }

  // /readyz is public, so the database is asked once a second at most.
  return async () => {
    verdict ??= askDatabase().finally(() => setTimeout(() => (verdict = undefined), 1_000).unref())
    return !leaving.aborted && (await verdict) && !leaving.aborted
  }
}
