import { createDiskStorage } from './storage/disk-storage.js'
import { createMinioStorage } from './storage/minio-storage.js'
import type { Storage } from './storage/storage.js'
import type { Config } from './config.js'
import { createMailboxMailer } from './mail/mailbox-mailer.js'
import type { Mailer } from './mail/mailer.js'
import { createMailgunMailer } from './mail/mailgun-mailer.js'
import { createDatabase, type Database, type Db } from './platform/db.js'
import type { Log } from './platform/log.js'
import { connectRedis, type RedisConnection } from './platform/redis.js'
import { createNoHints, createRedisHints, type Hints } from './live/hints.js'

/** Creates the adapters that the configuration chooses, real or built-in ones. */

export interface Connections {
  db: Database
  redis: RedisConnection | null
  /** To and from the other replicas. */
  hints: Hints
  close(): Promise<void>
}

/** The connections that both the server and the worker need. */
export function openConnections({ databaseUrl, poolSize, sessions: { store } }: Config, log: Log): Connections {
  const db = createDatabase({
    url: databaseUrl,
    poolSize,
    onIdleError: (err) => log.warn({ err }, 'lost a database connection'),
  })
  const redis = store.kind === 'redis' ? connectRedis({ url: store.url, log }) : null
  const hints =
    store.kind === 'redis' && redis !== null
      ? createRedisHints({ url: store.url, publisher: redis, log })
      : createNoHints()
  return {
    db,
    redis,
    hints,
    async close() {
      hints.close()
      redis?.close()
      await db.close()
    },
  }
}

export function createStorage({ storage }: Config): Storage {
  return storage.kind === 's3' ? createMinioStorage(storage) : createDiskStorage(storage)
}

export function createMailer({ mail }: Config, db: Db): Mailer {
  return mail.kind === 'mailgun' ? createMailgunMailer(mail) : createMailboxMailer({ db })
}
