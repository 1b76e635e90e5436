import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startPostgres, type EmbeddedPostgres } from './postgres.js'

describe('the embedded database', () => {
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
    const postgres = await startPostgres(join(folder, 'postgres'))
    started.push(postgres)
    const client = new pg.Client({ connectionString: postgres.url })
    client.on('error', () => undefined)
    await client.connect()
    return { postgres, client }
  }

  it('loses nothing that was committed when it is killed, and nothing else appears', async () => {
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
    // One more may have been committed without our having heard of it.
    expect(rows.length - committed).toBeOneOf([0, 1])
    expect(rows.map(({ n }) => n)).toEqual(rows.map((_, index) => index + 1))
    await again.client.end()
  })

  it('ends an open transaction when it is stopped, and keeps the rest for the next start', async () => {
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

  it('opens a folder only once at a time', async () => {
    const { postgres } = await start()
    await expect(startPostgres(join(folder, 'postgres'))).rejects.toThrow(`held by process ${postgres.pid}`)
  })
})
