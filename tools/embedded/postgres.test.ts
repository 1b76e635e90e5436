import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startPostgres, type EmbeddedPostgres } from './postgres.js'

describe('the embedded database', { timeout: 120_000 }, () => {
  let folder: string
  const started: EmbeddedPostgres[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chat-postgres-'))
  })
  afterEach(async () => {
    await Promise.all(started.splice(0).map((postgres) => postgres.stop()))
    await rm(folder, { recursive: true })
  })

  async function start() {
    const postgres = startPostgres(join(folder, 'postgres'))
    started.push(postgres)
    const client = new pg.Client({ connectionString: await postgres.url })
    client.on('error', () => undefined)
    await client.connect()
    return { postgres, client }
  }

  it('keeps exactly the committed data when it is killed', async () => {
    const first = await start()
    await first.client.query('create table kept (n int)')
    let committed = 0
    const writing = (async () => {
      for (;;) {
        await first.client.query('insert into kept values ($1)', [committed + 1])
        committed += 1
        if (committed === 200) process.kill(first.postgres.pid, 'SIGKILL')
      }
    })()
    await expect(writing).rejects.toThrow()
    await expect(first.postgres.failed).rejects.toThrow(/SIGKILL/)

    const again = await start()
    const { rows } = await again.client.query<{ n: number }>('select n from kept order by n')
    // The database may have committed one more row before it could confirm it.
    expect(rows.length - committed).toBeOneOf([0, 1])
    expect(rows.map(({ n }) => n)).toEqual(rows.map((_, index) => index + 1))
    await again.client.end()
  })

  it('rolls back an open transaction when it is stopped, and keeps the rest for the next start', async () => {
    const first = await start()
    await first.client.query('create table kept (n int)')
    await first.client.query('insert into kept values (1)')
    await first.client.query('begin')
    await first.client.query('insert into kept values (2)')
    await first.postgres.stop()

    const again = await start()
    expect((await again.client.query('select n from kept')).rows).toEqual([{ n: 1 }])
    await again.client.end()
  })

  it('is created without a time limit, and says that it is not ready yet', async () => {
    const said: string[] = []
    const postgres = startPostgres(join(folder, 'postgres'), { say: (text) => said.push(text), sayEveryMs: 50 })
    started.push(postgres)
    const maker = await vi.waitFor(() => makerIn(folder), { timeout: 60_000 })
    process.kill(maker, 'SIGSTOP')
    const before = said.length
    await vi.waitFor(() => expect(said.length).toBeGreaterThan(before + 20), { timeout: 60_000 })
    process.kill(maker, 'SIGCONT')
    expect(await postgres.url).toMatch(/^postgresql:/)
    expect(said[0]).toMatch(/^The database is still being created \(\d+ s\)\. On a slow machine this takes minutes\.$/)
  })

  it('stops at once while it is being created, and the next start creates it again', async () => {
    const first = startPostgres(join(folder, 'postgres'))
    const maker = await vi.waitFor(() => makerIn(folder), { timeout: 60_000 })
    process.kill(maker, 'SIGSTOP')
    await first.stop()
    expect(() => process.kill(maker, 0)).toThrow('ESRCH')
    const again = await start()
    expect((await again.client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await again.client.end()
  })

  it.each([
    [
      'the file by which PGlite recognises a database is missing',
      (postgres: string) => rm(join(postgres, 'PG_VERSION')),
      'PG_VERSION is missing',
    ],
    ['a file was cut short', (postgres: string) => truncate(join(postgres, 'global/pg_control')), ''],
  ])('is not overwritten when it is damaged, and the error says what to do: %s', async (_what, damage, found) => {
    const first = await start()
    await first.client.end()
    await first.postgres.stop()
    await damage(join(folder, 'postgres'))
    const before = await readdir(join(folder, 'postgres/base'))
    const problem: unknown = await startPostgres(join(folder, 'postgres')).url.catch((error: unknown) => error)
    const { message } = problem as Error
    expect(message).toContain(
      `The database in ${join(folder, 'postgres')} is damaged. Restore a copy of this folder, or delete the folder to start with an empty chat.`,
    )
    expect(message).toContain(found)
    expect(message.split('\n')).toHaveLength(1)
    expect(await readdir(join(folder, 'postgres/base'))).toEqual(before)
  })

  it('refuses a second process on the same folder', async () => {
    const { postgres } = await start()
    await expect(startPostgres(join(folder, 'postgres')).url).rejects.toThrow(`in use by process ${postgres.pid}`)
  })
})

/** The number of the process that creates a database. @throws if there is none. */
function makerIn(folder: string): number {
  return Number(execFileSync('pgrep', ['-f', `${folder}/postgres.new draft`], { encoding: 'utf8' }).split('\n')[0])
}
