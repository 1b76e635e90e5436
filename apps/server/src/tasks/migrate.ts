import { migrate } from '../platform/schema.js'
import { withDatabase, type Task } from './task.js'

export const migrateSchema: Task = ({ config, log }) =>
  withDatabase(config, async (db) => {
    const done = await migrate({ databaseUrl: config.databaseUrl, db, log })
    log.info({ migrations: done }, done.length === 0 ? 'the schema is up to date' : 'the schema is migrated')
    return 0
  })
