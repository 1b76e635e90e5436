import type { Config } from '../config.js'
import { createDatabase, type Database } from '../platform/db.js'
import type { Log } from '../platform/log.js'

/** Something to do once, from the command line. Returns the exit code. */
export type Task = (given: { config: Config; log: Log }) => Promise<number>

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
