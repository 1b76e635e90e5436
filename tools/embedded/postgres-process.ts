/**
 * The embedded PostgreSQL: PGlite behind a pooler, in a separate process. Start it by `fork(this, [folder])` with an IPC
 * channel. It sends `{ url }` when it is ready, and closes the database when the channel closes. If it fails, it explains
 * the reason in a sentence on standard error.
 */
import { PGlite } from '@electric-sql/pglite'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, renameSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mustBeWritable } from './disk.js'
import { LockHeld, takeLock } from './lock.js'
import { createPooler } from './pooler.js'

const [folder = '', isDraft] = process.argv.slice(2)

// Ctrl-C signals every process of the terminal at once, but the database must stop last.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
const left = once(process, 'disconnect')
let isOpen = false

if (isDraft === 'draft') {
  void left.then(() => process.exit(1))
  await (await PGlite.create(folder)).close()
  process.exit(0)
}
process.on('uncaughtException', fail).on('unhandledRejection', fail)

// Two PGlites on one folder lose rows without an error. Wait for a previous process that is still closing.
const unlock = await takeLock(`${folder}.lock`, { patienceMs: 10_000 })
if (!existsSync(folder)) await make()
// PGlite treats a folder without this file as empty, and overwrites its content.
if (!existsSync(join(folder, 'PG_VERSION'))) throw new Error('PG_VERSION is missing')

const db = await PGlite.create(folder)
isOpen = true
const { rows } = await db.query<{ name: string; setting: string }>(
  `select name, setting from pg_settings
    where name in ('server_version', 'server_encoding', 'client_encoding', 'DateStyle', 'TimeZone', 'IntervalStyle', 'integer_datetimes', 'standard_conforming_strings')`,
)
const parameters = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
const pooler = createPooler(async (messages) => Buffer.from(await db.execProtocolRaw(messages)), parameters, fail)
pooler.server.listen(0, '127.0.0.1')
await once(pooler.server, 'listening')
process.send?.({ url: `postgresql://postgres@127.0.0.1:${(pooler.server.address() as AddressInfo).port}/postgres` })

if (process.connected) await left
await pooler.close()
await db.close()
unlock()
process.exit(0)

/** Creates the database in a separate process: this needs three times the memory of running it, and the end of the process frees it. */
async function make() {
  const draft = `${folder}.new`
  rmSync(draft, { recursive: true, force: true })
  const child = fork(fileURLToPath(import.meta.url), [draft, 'draft'], {
    stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const outcome = await Promise.race([exited, left])
  if (outcome[0] === 0) return renameSync(draft, folder)
  child.kill('SIGKILL')
  await exited
  rmSync(draft, { recursive: true, force: true })
  if (!process.connected) process.exit(0)
  throw new Error('it could not be created')
}

/** PGlite's own errors are numbers and addresses of a WebAssembly program. This finds out what people can do. */
function fail(error: unknown): never {
  process.stderr.write(`${reasonOf(error)}\n`)
  process.exit(1)
}

function reasonOf(error: unknown): string {
  const where = resolve(folder)
  if (error instanceof LockHeld)
    return `The database in ${where} is in use by process ${error.holder.pid}. Stop this process first.`
  try {
    mustBeWritable(join(folder, '..'), 'Then start again: no stored data is lost.')
  } catch (obstacle) {
    return (obstacle as Error).message
  }
  if (isOpen) return `The embedded PostgreSQL has failed: ${wordsOf(error)}. Start again: no stored data is lost.`
  if (!existsSync(folder))
    return `The database in ${where} could not be created. Start again; if this does not help, check how much memory is free.`
  return `The database in ${where} is damaged. Restore a copy of this folder, or delete the folder to start with an empty chat. The problem:  ${wordsOf(error)}`
}

/** The first line of the message, at most 200 characters. */
function wordsOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!.slice(0, 200)
}
