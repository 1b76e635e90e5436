import { readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runner } from 'node-pg-migrate'
import type { Db } from './db.js'
import { Explained, reasonOf } from './explain.js'
import type { Log } from './log.js'

// The relative path is the same from src/platform and from dist/platform.
const directory = fileURLToPath(new URL('../../../../migrations', import.meta.url))
const table = 'pgmigrations'

/** How the schema of the database differs from the schema of this release. */
export interface SchemaState {
  /** Migrations of this release that have not run yet. */
  missing: string[]
  /** Migrations that have run and that this release does not know, because a newer release added them. */
  unknown: string[]
}

export async function compareSchema(db: Db): Promise<SchemaState> {
  const files = (await readdir(directory))
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
  const [exists] = await db.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [table])
  const rows = exists?.exists === true ? await db.query<{ name: string }>(`select name from ${table} order by id`) : []
  const applied = rows.map(({ name }) => name)
  return {
    missing: files.filter((name) => !applied.includes(name)).sort(),
    unknown: applied.filter((name) => !files.includes(name)),
  }
}

/**
 * Resolves when every migration of this release has run. Until then its code must not use the data.
 * @throws the signal's reason when it aborts.
 */
export async function untilSchemaIsCurrent(db: Db, { log, signal }: { log: Log; signal: AbortSignal }): Promise<void> {
  for (let said = ''; ;) {
    const missing = await compareSchema(db).then(({ missing }) => missing.join(', '), reasonOf)
    signal.throwIfAborted()
    if (missing === '') return
    if (missing !== said) log.info({ missing }, 'waiting for the schema of this release')
    said = missing
    await sleep(1_000, undefined, { signal })
  }
}

/**
 * Runs all missing migrations in one transaction, one process at a time. Returns their names. After a rollback of the apps
 * the schema stays newer: a release works with the schema of the next one (expand, then contract).
 * @throws Explained when the database has unknown migrations and lacks migrations of this release.
 */
export async function migrate({ databaseUrl, db, log }: { databaseUrl: string; db: Db; log: Log }): Promise<string[]> {
  const { missing, unknown } = await compareSchema(db)
  if (unknown.length > 0 && missing.length > 0) {
    throw new Explained(
      `The database has migrations that this release does not know (${unknown.join(', ')}) and lacks some of its own (${missing.join(', ')}). Deploy the release that added them, or a later one.`,
    )
  }
  if (unknown.length > 0) log.warn({ unknown }, 'the schema is newer than this release')
  if (missing.length === 0) return []
  const done = await runner({
    databaseUrl,
    dir: directory,
    migrationsTable: table,
    direction: 'up',
    // When two releases are deployed at once, the second one waits for the first one.
    advisoryLockMode: 'wait',
    log: (line) => log.debug(line),
  })
  return done.map(({ name }) => name)
}
