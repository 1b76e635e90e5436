import type { Config } from '../config.js'
import { createDatabase, type Database } from '../platform/db.js'
import type { Log } from '../platform/log.js'

/** Something to do once, from the command line. Returns the exit code. */
export type Task = (given: { config: Config; log: Log }) => Promise<number>

/** Where a task reaches the chat, and the headers that make its requests look as if they had come through PUBLIC_URL. */
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

/** Lends a small pool to a task and closes it afterwards. */
export async function withDatabase<Result>(config: Config, work: (db: Database) => Promise<Result>): Promise<Result> {
  // A connection lost while idle is replaced when the next statement asks for one.
  const db = createDatabase({ url: config.databaseUrl, poolSize: 2, onIdleError: () => undefined })
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}

/** The same as the owner of the schema, who may change it. */
export function asOwner<Result>(config: Config, work: (db: Database) => Promise<Result>): Promise<Result> {
  return withDatabase({ ...config, databaseUrl: config.migrationsDatabaseUrl }, work)
}
