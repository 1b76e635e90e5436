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
  /** Of /metrics, /healthz and /readyz, once started. */
  opsPort: number
  /** Resolves when it works, which it does not before the schema is there. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** What a test may put in place of what the configuration asks for. */
export interface Replacements {
  log?: Log
  mailer?: Mailer
  /** First word of every name in RabbitMQ, so that tests do not take each other's events. */
  queuePrefix?: string
}

/**
 * The second process: takes events from the outbox to RabbitMQ, and acts on them. Any number of them may run.
 * @throws ConfigError without RabbitMQ, since the server does this work itself then.
 */
export function createWorker(config: Config, replacements: Replacements = {}): Worker {
  if (config.bus.kind !== 'rabbitmq')
    throw new ConfigError(['AMQP_URI is missing (without RabbitMQ the server does this work itself: run no worker)'])
  const { uri } = config.bus
  const log = replacements.log ?? createLog({ name: 'worker', level: config.logLevel, version: config.version })

  // Backing services.
  const connections = openConnections(config, log)
  const { db, hints } = connections
  const mailer = replacements.mailer ?? createMailer(config, db)

  // Slices. There are no sockets here: what they need to hear goes out as hints.
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

    /** First no new work, then what is in hand, then things close in reverse order of opening. */
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
