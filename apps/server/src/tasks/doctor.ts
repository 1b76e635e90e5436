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
  /** Returns a word on what was found; throws with what is wrong. */
  look: () => Promise<string>
  advice: string
}

const patienceMs = 10_000

/** Looks at each part by itself and prints one line for each, with one line of advice for what is broken. */
export const doctor: Task = ({ config, log }) =>
  withDatabase(config, async (db) => {
    let broken = 0
    for (const { part, look, advice } of checks(config, db, log.child({}, { level: 'silent' }))) {
      const begun = performance.now()
      try {
        const found = await within(patienceMs, `Looking at ${part}`, look())
        print(`ok    ${part.padEnd(10)} ${found} (${Math.round(performance.now() - begun)} ms)`)
      } catch (error) {
        broken += 1
        print(`FAIL  ${part.padEnd(10)} ${reasonOf(error)}`)
        print(`      ${''.padEnd(10)} → ${advice}`)
      }
    }
    print(broken === 0 ? 'Everything works.' : `${broken} broken.`)
    return broken === 0 ? 0 : 1
  })

function checks(config: Config, db: Database, log: Log): Check[] {
  const { sessions, bus, storage, mail } = config
  return [
    {
      part: 'database',
      advice: 'Is PostgreSQL up, and does DATABASE_URL name its host, user, password and database?',
      async look() {
        const [row] = await db.query<{ version: string }>(`select current_setting('server_version') as version`)
        return `PostgreSQL ${row?.version}`
      },
    },
    {
      part: 'schema',
      advice: 'Run the migrations of this release, as the owner of the schema: node dist/cli.js migrate',
      async look() {
        const { missing, unknown } = await compareSchema(db)
        if (missing.length > 0) throw new Error(`These migrations have not run: ${missing.join(', ')}`)
        return unknown.length === 0 ? 'as this release expects' : `newer than this release (${unknown.join(', ')})`
      },
    },
    {
      part: 'clock',
      advice: 'Set the clocks of this machine and of the database by NTP: sessions and leases are measured with them.',
      async look() {
        const [row] = await db.query<{ now: Date }>('select clock_timestamp() as now')
        const apartMs = Math.abs(Date.now() - (row?.now.getTime() ?? 0))
        if (apartMs > 5_000) throw new Error(`This clock and the database's are ${Math.round(apartMs / 1000)} s apart`)
        return 'agrees with the database'
      },
    },
    {
      part: 'sessions',
      advice: 'Is Redis up, and does SESSION_REDIS name its host and password?',
      async look() {
        if (sessions.store.kind === 'postgres') return 'in PostgreSQL'
        await roundTripBetweenReplicas(sessions.store.url, log)
        return 'Redis carries news from one replica to another'
      },
    },
    {
      part: 'bus',
      advice:
        'Is RabbitMQ up, does AMQP_URI name its host, user, password and virtual host, and has a worker run once (it makes the queues)?',
      async look() {
        if (bus.kind === 'in-process') return 'in this process'
        const rabbitmq = await createRabbitmqBus({ uri: bus.uri, consumers: consumerEvents, log })
        try {
          await rabbitmq.check()
          return 'RabbitMQ confirms what is published'
        } finally {
          await rabbitmq.close()
        }
      },
    },
    {
      part: 'storage',
      advice: 'Is the S3 server up, do the S3_ variables fit it, and was the bucket made? node dist/cli.js bucket',
      async look() {
        await createStorage(config).check()
        return storage.kind === 's3'
          ? `bucket ${storage.bucket} can be written`
          : `folder ${storage.dir} can be written`
      },
    },
    {
      part: 'mail',
      advice: 'Do MAILGUN_APIKEY and MAILGUN_DOMAIN belong together, and is MAILGUN_URL that of the right region?',
      async look() {
        await createMailer(config, db).check()
        return mail.kind === 'mailgun' ? `Mailgun knows ${mail.domain}` : 'mailbox in the database'
      },
    },
    {
      part: 'origin',
      advice: 'PUBLIC_URL must be the address in the browser, scheme and port included, and lead to this chat.',
      look: () => reachOurselves(wayToTheChat(config)),
    },
  ]
}

/** Publishes a hint until it arrives on another connection, as between two server pods. */
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
    await within(patienceMs / 2, 'News through Redis', arrived)
  } finally {
    clearInterval(again)
    here.close()
    there.close()
    redis.close()
  }
}

/** Asks for something that is refused either way: as invalid when the origin is believed, as forbidden when not. */
async function reachOurselves({ url, headers }: ReturnType<typeof wayToTheChat>): Promise<string> {
  const answer = await fetch(`${url}/api/session`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{}',
    signal: AbortSignal.timeout(patienceMs / 2),
  })
  if (answer.status !== 400) throw new Error(`${url} was reached and answered ${answer.status} instead of 400`)
  return `${url} reaches the chat, which believes ${headers.origin}`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
