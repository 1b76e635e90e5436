/**
 * The embedded PostgreSQL: PGlite behind a pooler, in a process of its own. `fork(this, [folder, port])` with an IPC
 * channel: it sends `{ url }` when it is ready, and closes the database when the channel closes, for whatever reason.
 */
import { PGlite } from '@electric-sql/pglite'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, renameSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { takeLock } from './lock.js'
import { createPooler } from './pooler.js'

const [folder = '', port = '0'] = process.argv.slice(2)

// Ctrl-C reaches every process of the terminal at once, but the database has to be the last to go.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

if (port === 'initialise') {
  await (await PGlite.create(folder)).close()
  process.exit(0)
}

// Two PGlites on one folder lose rows without a word. A predecessor that is just closing is waited for.
const unlock = await takeLock(`${folder}.lock`, { patienceMs: 10_000 })
if (!existsSync(folder)) await initialise()

const db = await PGlite.create(folder)
const { rows } = await db.query<{ name: string; setting: string }>(
  `select name, setting from pg_settings
    where name in ('server_version', 'server_encoding', 'client_encoding', 'DateStyle', 'TimeZone', 'IntervalStyle', 'integer_datetimes', 'standard_conforming_strings')`,
)
const parameters = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
const pooler = createPooler(async (messages) => Buffer.from(await db.execProtocolRaw(messages)), parameters, (error) => {
  process.stderr.write(`The embedded PostgreSQL has failed: ${error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(1)
})
pooler.server.listen(Number(port), '127.0.0.1')
await once(pooler.server, 'listening')
process.send?.({ url: `postgresql://postgres@127.0.0.1:${(pooler.server.address() as AddressInfo).port}/postgres` })

if (process.connected) await once(process, 'disconnect')
await pooler.close()
await db.close()
unlock()
process.exit(0)

/** Creating a database takes three times the memory of running one; it goes back to the system with the process. */
async function initialise() {
  const draft = `${folder}.new`
  rmSync(draft, { recursive: true, force: true })
  const child = fork(fileURLToPath(import.meta.url), [draft, 'initialise'])
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`Creating the embedded database in ${folder} failed`)
  renameSync(draft, folder)
}
