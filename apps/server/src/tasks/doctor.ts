import { randomUUID } from 'node:crypto'
import { createMailer, createStorage } from '../adapters.js'
import type { Config } from '../config.js'
import { consumerEvents } from '../consumers.js'
import type { Database } from '../platform/db.js'
import { within } from '../platform/deadline.js'
import { reasonOf } from '../platform/explain.js'
import type { Log } from '../platform/log.js'
import { createRabbitmqBus } from '../events/rabbitmq-bus.js'
import { connectRedis } from '../platform/redis.js'
import { compareSchema } from '../platform/schema.js'
import { createRedisHints } from '../live/hints.js'
import { wayToTheChat, withDatabase, type Task } from './task.js'

interface Check {
  part: string
  /** Returns what was found. Throws an error that says what is wrong. */
  look: () => Promise<string>
  advice: string
}

const patienceMs = 10_000

/** Checks each part and prints one line for it, and one line of advice when it is broken. */
export const doctor: Task = ({ config, log }) =>
  withDatabase(config, async (db) => {
    let broken = 0
    for (const { part, look, advice } of checks(config, db, log.child({}, { level: 'silent' }))) {
      const begun = performance.now()
      try {
        const found = await within(patienceMs, `Checking ${part}`, look())
        print(`ok    ${part.padEnd(10)} ${found} (${Math.round(performance.now() - begun)} ms)`)
      } catch (error) {
        broken += 1
        print(`FAIL  ${part.padEnd(10)} ${reasonOf(error)}`)
        print(`      ${''.padEnd(10)} → ${advice}`)
      }
    }
    print(broken === 0 ? 'Everything works.' : `Broken parts: ${broken}.`)
    return broken === 0 ? 0 : 1
  })

function checks(config: Config, db: Database, log: Log): Check[] {
  const { sessions, bus, storage, mail } = config
  return [
    {
      part: 'database',
      advice: 'Start PostgreSQL, and set DATABASE_URL to its host, user, password and database.',
      async look() {
        const [row] = await db.query<{ version: string }>(`select current_setting('server_version') as version`)
        return `PostgreSQL ${row?.version}`
      },
    },
    {
      part: 'schema',
      advice: 'Run the migrations of this release as the owner of the schema: node dist/cli.js migrate',
      async look() {
        const { missing, unknown } = await compareSchema(db)
        if (missing.length > 0) throw new Error(`These migrations have not run: ${missing.join(', ')}`)
        return unknown.length === 0 ? 'as this release expects' : `newer than this release (${unknown.join(', ')})`
      },
    },
    {
      part: 'clock',
      advice:
        'Synchronize the clocks of this machine and of the database with NTP: sessions and leases depend on them.',
      async look() {
        const [row] = await db.query<{ now: Date }>('select clock_timestamp() as now')
        const apartMs = Math.abs(Date.now() - (row?.now.getTime() ?? 0))
        if (apartMs > 5_000)
          throw new Error(`This clock and the clock of the database differ by ${Math.round(apartMs / 1000)} s`)
        return 'agrees with the database'
      },
    },
    {
      part: 'sessions',
      advice: 'Start Redis, and set SESSION_REDIS to its host and password.',
      async look() {
        if (sessions.store.kind === 'postgres') return 'in PostgreSQL'
        await roundTripBetweenReplicas(sessions.store.url, log)
        return 'Redis delivers hints from one replica to another'
      },
    },
    {
      part: 'bus',
      advice:
        'Start RabbitMQ, and set AMQP_URI to its host, user, password and virtual host. The user needs the right to declare queues.',
      async look() {
        if (bus.kind === 'in-process') return 'in this process'
        const rabbitmq = await createRabbitmqBus({ uri: bus.uri, consumers: consumerEvents, log })
        try {
          await rabbitmq.check()
          return 'RabbitMQ confirms published events'
        } finally {
          await rabbitmq.close()
        }
      },
    },
    {
      part: 'storage',
      advice: 'Start the S3 server, set the S3_ variables for it, and create the bucket: node dist/cli.js bucket',
      async look() {
        await createStorage(config).check()
        return storage.kind === 's3'
          ? `bucket ${storage.bucket} can be written`
          : `folder ${storage.dir} can be written`
      },
    },
    {
      part: 'mail',
      advice: 'Set MAILGUN_APIKEY to a key for MAILGUN_DOMAIN, and MAILGUN_URL to the API of its region.',
      async look() {
        await createMailer(config, db).check()
        return mail.kind === 'mailgun' ? `Mailgun knows ${mail.domain}` : 'mailbox in the database'
      },
    },
    {
      part: 'origin',
      advice:
        'Set PUBLIC_URL to the URL that people open in the browser, with scheme and port. It must lead to this chat.',
      look: () => reachOurselves(wayToTheChat(config)),
    },
  ]
}

/** Publishes a hint until it arrives on another connection, as between two replicas. */
async function roundTripBetweenReplicas(url: string, log: Log): Promise<void> {
  const redis = connectRedis({ url, log })
  const channel = 'chat:doctor'
  const here = createRedisHints({ url, publisher: redis, log, channel })
  const there = createRedisHints({ url, publisher: redis, log, channel })
  const hint = randomUUID()
  let again: NodeJS.Timeout | undefined
  try {
    const arrived = new Promise<void>((resolve) => there.subscribe((heard) => heard === hint && resolve()))
    again = setInterval(() => here.publish(hint), 100)
    await within(patienceMs / 2, 'A hint through Redis', arrived)
  } finally {
    clearInterval(again)
    here.close()
    there.close()
    redis.close()
  }
}

/** Sends an invalid request. The answer is 400 when the chat accepts the origin, and 403 when it does not. */
async function reachOurselves({ url, headers }: ReturnType<typeof wayToTheChat>): Promise<string> {
  const answer = await fetch(`${url}/api/session`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{}',
    signal: AbortSignal.timeout(patienceMs / 2),
  })
  if (answer.status !== 400) throw new Error(`${url} answered ${answer.status} instead of 400`)
  return `${url} leads to the chat, which accepts the origin ${headers.origin}`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
