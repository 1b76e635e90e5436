import type { Config } from '../config.js'
import { createDatabase, type Database } from '../platform/db.js'
import type { Log } from '../platform/log.js'

/** A command of cli.js. Returns the exit code. */
export type Task = (given: { config: Config; log: Log }) => Promise<number>

/** The URL at which a task reaches the chat, and headers as if its requests had come through PUBLIC_URL. */
export function wayToTheChat({ publicUrl, internalUrl, port }: Config): {
  url: string
  headers: { origin: string; 'x-forwarded-proto': string }
} {
  const outside = publicUrl ?? `http://127.0.0.1:${port}`
  return {
    url: internalUrl ?? outside,
    headers: { origin: outside, 'x-forwarded-proto': new URL(outside).protocol.slice(0, -1) },
  }
}

/** Runs `work` with a small pool of connections, and closes the pool afterwards. */
export async function withDatabase<Result>(config: Config, work: (db: Database) => Promise<Result>): Promise<Result> {
  // The next statement replaces an idle connection that was lost.
  const db = createDatabase({ url: config.databaseUrl, poolSize: 2, onIdleError: () => undefined })
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}

/** The same, connected as the owner of the schema. */
export function asOwner<Result>(config: Config, work: (db: Database) => Promise<Result>): Promise<Result> {
  return withDatabase({ ...config, databaseUrl: config.migrationsDatabaseUrl }, work)
}
