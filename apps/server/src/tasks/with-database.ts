import type { Config } from '../config.js'
import { createDatabase, type Database } from '../platform/db.js'

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
