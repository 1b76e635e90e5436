import { createHash, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { createDatabase, type Database } from '../platform/db.js'
import { createLog } from '../platform/log.js'
import { migrate } from '../platform/schema.js'

export const quiet = createLog({ name: 'test', level: process.env.TEST_LOG ?? 'silent' })

export interface FreshDatabase {
  db: Database
  url: string
  close(): Promise<void>
}

const migrations = fileURLToPath(new URL('../../../../migrations', import.meta.url))

/**
 * A migrated, empty database for one test at TEST_DATABASE_URL. On PostgreSQL it is a clone of a template. The embedded
 * server has a single database, which is emptied, so its test files run one after another.
 */
export async function freshDatabase(): Promise<FreshDatabase> {
  const { server, admin, isEmbedded } = await connect()
  return isEmbedded ? emptied(server, admin) : cloned(server, admin)
}

/** Does the server have roles? The embedded server has a single user, who may do everything. */
export async function hasRoles(): Promise<boolean> {
  const { admin, isEmbedded } = await connect()
  await admin.end()
  return !isEmbedded
}

async function connect(): Promise<{ server: string; admin: pg.Client; isEmbedded: boolean }> {
  const server = process.env.TEST_DATABASE_URL
  if (server === undefined)
    throw new Error('TEST_DATABASE_URL is missing. Run the tests with npm test or vitest, which start a database')
  const admin = new pg.Client({ connectionString: server })
  await admin.connect()
  const { rows } = await admin.query<{ version: string }>('select version()')
  return { server, admin, isEmbedded: rows[0]?.version.includes('emcc') ?? false }
}

async function emptied(url: string, admin: pg.Client): Promise<FreshDatabase> {
  await admin.end()
  const db = createDatabase({ url, poolSize: 10, onIdleError: () => undefined })
  await migrate({ databaseUrl: url, db, log: quiet })
  const tables = await db.query<{ name: string }>(
    `select quote_ident(tablename) as name from pg_tables where schemaname = 'public' and tablename not in ('accounts', 'pgmigrations')`,
  )
  await db.query(`truncate ${tables.map(({ name }) => name).join(', ')}`)
  await db.query(`delete from accounts where email is not null`)
  return { db, url, close: () => db.close() }
}

async function cloned(server: string, admin: pg.Client): Promise<FreshDatabase> {
  const template = await migratedTemplate(server, admin)
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await admin.query(`create database ${name} template ${template}`)
  const url = at(server, name)
  const db = createDatabase({ url, poolSize: 10, onIdleError: () => undefined })
  return {
    db,
    url,
    async close() {
      await db.close()
      await untilLeft(admin, name)
      await admin.query(`drop database ${name} with (force)`)
      await admin.end()
    },
  }
}

/** Waits up to 2 s until all connections are closed: they close a little later than their pool. `force` closes the others. */
async function untilLeft(admin: pg.Client, name: string): Promise<void> {
  for (let looks = 0; looks < 40; looks += 1) {
    const { rowCount } = await admin.query('select from pg_stat_activity where datname = $1', [name])
    if (rowCount === 0) return
    await sleep(50)
  }
}

/** Creates the template once per set of migrations. Other processes wait for the lock meanwhile. */
async function migratedTemplate(server: string, admin: pg.Client): Promise<string> {
  const hash = createHash('sha256')
  for (const file of readdirSync(migrations).sort()) hash.update(file).update(readFileSync(`${migrations}/${file}`))
  const template = `template_${hash.digest('hex').slice(0, 16)}`
  await admin.query('select pg_advisory_lock(77001)')
  try {
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [template])
    if (rowCount === 0) {
      const draft = `${template}_draft`
      await admin.query(`drop database if exists ${draft}`)
      await admin.query(`create database ${draft}`)
      const url = at(server, draft)
      const db = createDatabase({ url, poolSize: 2, onIdleError: () => undefined })
      await migrate({ databaseUrl: url, db, log: quiet })
      await db.close()
      await admin.query(`alter database ${draft} rename to ${template}`)
    }
  } finally {
    await admin.query('select pg_advisory_unlock(77001)')
  }
  return template
}

function at(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}
