import { admitApps, giveUpVanished } from '../platform/roles.js'
import { migrate } from '../platform/schema.js'
import { asOwner, type Task } from './task.js'

export const migrateSchema: Task = ({ config, log }) =>
  asOwner(config, async (db) => {
    const ownerUrl = config.migrationsDatabaseUrl
    if (config.production && ownerUrl === config.databaseUrl)
      log.warn(
        'the apps may change the schema. To prevent that, set MIGRATIONS_DATABASE_URL to another role than DATABASE_URL',
      )
    const admit = () => admitApps({ db, ownerUrl, appUrl: config.databaseUrl })
    // Before the migration, because the apps must be able to connect even when it fails. And after it, because the first run
    // creates the table of migrations.
    await admit()
    const done = await migrate({ databaseUrl: ownerUrl, db, log })
    await admit()
    await giveUpVanished(config.databaseUrl)
    log.info({ migrations: done }, done.length === 0 ? 'the schema is up to date' : 'the schema is migrated')
    return 0
  })
