import { admitApps, giveUpVanished } from '../platform/roles.js'
import { migrate } from '../platform/schema.js'
import { asOwner, type Task } from './task.js'

export const migrateSchema: Task = ({ config, log }) =>
  asOwner(config, async (db) => {
    const ownerUrl = config.migrationsDatabaseUrl
    if (config.production && ownerUrl === config.databaseUrl)
      log.warn('the apps may change the schema: MIGRATIONS_DATABASE_URL names no role beside theirs')
    const admit = () => admitApps({ db, ownerUrl, appUrl: config.databaseUrl })
    // Before, since the apps must get in even when a migration fails; and after, for the table that notes the migrations.
    await admit()
    const done = await migrate({ databaseUrl: ownerUrl, db, log })
    await admit()
    await giveUpVanished(config.databaseUrl)
    log.info({ migrations: done }, done.length === 0 ? 'the schema is up to date' : 'the schema is migrated')
    return 0
  })
