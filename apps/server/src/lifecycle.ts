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
  /** Where people reach it, and the port it listens on; known once started. */
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
  /** Null where events are the worker's business. */
  events: { bus: Bus; relay: Relay; consumersFor: (publicUrl: string) => Consumer[] } | null
  /** Aborted when it stops. */
  leaving: AbortController
  isReady: () => Promise<boolean>
  publishAssets: () => Promise<void>
  /** What goes on from start to stop. */
  repeated: Repeated[]
  /** Who may still have something to tell, when nobody asks any more. */
  tellers: { stop(): Promise<void> }[]
}

const startPatienceMs = 3_000

/** In which order a server opens and closes what it is made of. */
export function createLifecycle({
  config,
  log,
  connections,
  storage,
  http,
  sockets,
  events,
  leaving,
  isReady,
  publishAssets,
  repeated,
  tellers,
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
      // Whoever comes first should find a session, hear of everything and get the assets. Without Redis or storage it starts all the same.
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
        log.warn({ host: config.host }, 'only localhost is answered. Set PUBLIC_URL to the address that people type')
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

    /** /readyz turns red first; once traffic has moved away, what is in hand is finished, and things close in reverse order. */
    async stop() {
      leaving.abort()
      // Others take the events from here on: they may already do with them what this process does not know about.
      const relayed = events?.relay.stop()
      await sleep(config.drainMs)
      await sockets.drain(config.drainMs)
      await Promise.all([...repeating, ...tellers].map((each) => each.stop()))
      await relayed
      await events?.bus.close()
      ops?.close()
      await connections.close()
    },
  }
  return lifecycle
}

/** May traffic come? While the database answers with the schema of this release, and this process is not leaving. */
export function createReadiness({ db, leaving }: { db: Database; leaving: AbortSignal }): () => Promise<boolean> {
  let schemaIsCurrent = false
  let verdict: Promise<boolean> | undefined

  async function askDatabase(): Promise<boolean> {
    try {
      // In a flood every connection is busy, and that is no reason to send people elsewhere.
      if (schemaIsCurrent && db.isAnswering()) return true
      if (schemaIsCurrent) await db.query('select 1')
      else schemaIsCurrent = (await compareSchema(db)).missing.length === 0
      return schemaIsCurrent
    } catch {
      return false
    }
  }

  // Anybody may ask, and as often as they like: the database is asked once a second at most.
  return async () => {
    verdict ??= askDatabase().finally(() => setTimeout(() => (verdict = undefined), 1_000).unref())
    return !leaving.aborted && (await verdict) && !leaving.aborted
  }
}
