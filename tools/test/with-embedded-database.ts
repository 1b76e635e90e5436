import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../embedded/postgres.js'

/** Starts one embedded database for the run, unless TEST_DATABASE_URL names another database. */
export default async function setup() {
  if (process.env.TEST_DATABASE_URL) return
  const folder = await mkdtemp(join(tmpdir(), 'chat-test-database-'))
  const postgres = startPostgres(join(folder, 'postgres'))
  process.env.TEST_DATABASE_URL = await postgres.url
  return async () => {
    await postgres.stop()
    await rm(folder, { recursive: true })
  }
}
