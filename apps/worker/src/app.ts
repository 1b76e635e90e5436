import { createMailer, openConnections } from '@chat/server/adapters'
import { createAccounts } from '@chat/server/accounts/accounts'
import { createPeople } from '@chat/server/accounts/person'
import { ConfigError, type Config } from '@chat/server/config'
import { consumerEvents, createConsumers } from '@chat/server/consumers'
import type { Mailer } from '@chat/server/mail/mailer'
import { createMessages } from '@chat/server/messages/messages'
import { createNews } from '@chat/server/live/news'
import type { Bus } from '@chat/server/events/bus'
import { createLog, type Log } from '@chat/server/platform/log'
import { startOpsServer, type OpsServer } from '@chat/server/platform/ops-server'
import { createRabbitmqBus } from '@chat/server/events/rabbitmq-bus'
import { createRelay, type Relay } from '@chat/server/events/relay'
import { compareSchema, untilSchemaIsCurrent } from '@chat/server/platform/schema'
import { createRooms } from '@chat/server/rooms/rooms'

export interface Worker {
  log: Log
  /** The port of /metrics, /healthz, /readyz and /version. `start` sets it. */
  opsPort: number
  /** Resolves when the worker handles events. It waits for the schema of this release first. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Parts that a test may replace. */
export interface Replacements {
  log?: Log
  mailer?: Mailer
  /** Prefix of every name in RabbitMQ, so that tests do not get each other's events. */
  queuePrefix?: string
}

/**
 * The second process: publishes the events of the outbox on RabbitMQ, and handles them. Any number of workers may run.
 * @throws ConfigError without RabbitMQ, because the server handles events itself then.
 */
export function createWorker(config: Config, replacements: Replacements = {}): Worker {
  if (config.bus.kind !== 'rabbitmq')
    throw new ConfigError([
      'AMQP_URI is missing. Set it, or run no worker: without RabbitMQ the server handles events itself',
    ])
  const { uri } = config.bus
  const log = replacements.log ?? createLog({ name: 'worker', level: config.logLevel, version: config.version })

  // Backing services.
  const connections = openConnections(config, log)
  const { db, hints } = connections
  const mailer = replacements.mailer ?? createMailer(config, db)

  // Slices. The worker has no sockets, so it sends events for clients to the servers, as hints.
  const news = createNews({ hints })
  const { toPerson } = createPeople(config)
  const accounts = createAccounts({ db })
  const rooms = createRooms({ db, news, toPerson })
  const messages = createMessages({ db, news, rooms, toPerson })
  const consumers = createConsumers({ db, accounts, rooms, messages, mailer, publicUrl: config.publicUrl })

  const leaving = new AbortController()
  let bus: Bus | undefined
  let relay: Relay | undefined
  let ops: OpsServer | undefined

  async function isReady(): Promise<boolean> {
    try {
      await bus?.check()
      return bus !== undefined && (await compareSchema(db)).missing.length === 0
    } catch {
      return false
    }
  }

  const worker: Worker = {
    log,
    opsPort: 0,

    async start() {
      log.info({ database: 'postgres', bus: config.bus.kind, mail: config.mail.kind }, 'starting with these adapters')
      ops = await startOpsServer({ host: config.host, port: config.metricsPort, version: config.version, isReady })
      worker.opsPort = ops.port
      await untilSchemaIsCurrent(db, { log, signal: leaving.signal })
      bus = await createRabbitmqBus({ uri, consumers: consumerEvents, log, prefix: replacements.queuePrefix ?? 'chat' })
      for (const consumer of consumers) await bus.subscribe(consumer)
      relay = createRelay({ db, bus, log })
      relay.start()
    },

    /** Takes no new events, finishes the current ones, and closes everything in reverse order. */
    async stop() {
      leaving.abort()
      await relay?.stop()
      await bus?.close()
      ops?.close()
      await connections.close()
    },
  }
  return worker
}
