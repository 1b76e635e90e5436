import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { eventually } from '../test/eventually.js'
import { startProxy, type Proxy } from '../test/proxy.js'
import { createDatabase, type Database } from './db.js'
import { Unavailable } from './errors.js'

const isReal = process.env.TEST_SESSION_REDIS !== undefined

describe('a database connection', () => {
  let fresh: FreshDatabase
  let proxy: Proxy
  let db: Database
  const idleErrors: Error[] = []

  beforeAll(async () => {
    fresh = await freshDatabase()
    const url = new URL(fresh.url)
    proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
    url.host = `127.0.0.1:${proxy.port}`
    db = createDatabase({ url: url.href, poolSize: 2, onIdleError: (error) => idleErrors.push(error) })
  })
  afterAll(async () => {
    await db.close()
    await proxy.close()
    await fresh.close()
  })

  it('that is lost while idle is reported without the object of pg, and replaced', async () => {
    await db.query('select 1')
    proxy.cut()
    await eventually(() => expect(idleErrors).toHaveLength(1))
    expect(Object.keys(idleErrors[0] ?? {})).not.toContain('client')
    expect(await db.query('select 2 as two')).toEqual([{ two: 2 }])
  })

  // Without a listener such an error ends the process. Vitest fails a run with an uncaught error.
  it('that is lost between two statements of a transaction makes only that transaction fail as unavailable', async () => {
    const outcome = db.transaction(async (tx) => {
      await tx.query('select 1')
      proxy.cut()
      await eventually(() => expect(proxy.open()).toBe(0))
      await tx.query('select 2')
    })
    await expect(outcome).rejects.toBeInstanceOf(Unavailable)
    expect(await db.query('select 3 as three')).toEqual([{ three: 3 }])
  })

  it('that is lost between two users of the pool makes only the second one fail as unavailable', async () => {
    const lost = 'terminating connection due to administrator command'
    const fatal = Buffer.from(`E0000SFATAL\0VFATAL\0C57P01\0M${lost}\0\0`)
    fatal.writeInt32BE(fatal.length - 1, 1)
    const url = new URL(fresh.url)
    const { hostname, port } = url
    // The end of a result and the end of the connection arrive in one piece.
    const between = createServer((client) => {
      const server = connect(Number(port), hostname)
      client.on('error', () => server.destroy()).pipe(server)
      server
        .on('error', () => client.destroy())
        .on('data', (chunk: Buffer) => {
          if (chunk.includes('goodbye')) client.end(Buffer.concat([chunk, fatal]))
          else client.write(chunk)
        })
    })
    await once(between.listen(0, '127.0.0.1'), 'listening')
    url.host = `127.0.0.1:${(between.address() as AddressInfo).port}`
    const pool = createDatabase({ url: url.href, poolSize: 1, onIdleError: () => undefined })
    const first = pool.query(`select 'good' || 'bye' as word`)
    const second = pool.transaction((tx) => tx.query('select 1'))
    expect(await first).toEqual([{ word: 'goodbye' }])
    await expect(second).rejects.toBeInstanceOf(Unavailable)
    expect(await pool.query('select 5 as five')).toEqual([{ five: 5 }])
    await pool.close()
    between.close()
  })

  it('that is refused is unavailable', async () => {
    await proxy.refuse()
    await expect(db.query('select 1')).rejects.toBeInstanceOf(Unavailable)
    await expect(db.transaction(async () => undefined)).rejects.toBeInstanceOf(Unavailable)
    await proxy.mend()
    expect(await db.query('select 4 as four')).toEqual([{ four: 4 }])
  })

  it('does not report a wrong statement as unavailable', async () => {
    const error: unknown = await db.query('select from nowhere').catch((error: unknown) => error)
    expect(error).not.toBeInstanceOf(Unavailable)
    expect(error).toMatchObject({ code: '42P01' })
  })

  it('reports whether PostgreSQL answers', async () => {
    await db.query('select 1')
    expect(db.isAnswering()).toBe(true)
    await proxy.refuse()
    await expect(db.query('select 1')).rejects.toBeInstanceOf(Unavailable)
    expect(db.isAnswering()).toBe(false)
    await proxy.mend()
    await db.query('select 1')
    expect(db.isAnswering()).toBe(true)
  })

  // The embedded database has a single backend, which cannot be terminated.
  describe.runIf(isReal)('of PostgreSQL', () => {
    let admin: pg.Pool
    beforeAll(() => {
      admin = new pg.Pool({ connectionString: fresh.url, application_name: 'admin' })
    })
    afterAll(() => admin.end())

    it('that PostgreSQL terminates makes its transaction fail as unavailable, five times at once', async () => {
      const pool = createDatabase({ url: fresh.url, poolSize: 5, onIdleError: () => undefined })
      const idleInTransaction = async () => {
        const { rowCount } = await admin.query(
          `select from pg_stat_activity where state = 'idle in transaction' and datname = current_database()`,
        )
        return rowCount
      }
      const begun: Promise<unknown>[] = []
      let inside = 0
      for (let each = 0; each < 5; each += 1) {
        begun.push(
          pool.transaction(async (tx) => {
            await tx.query('select 1')
            inside += 1
            await eventually(async () => expect(await idleInTransaction()).toBe(0))
            await tx.query('select 2')
          }),
        )
      }
      await eventually(() => expect(inside).toBe(5))
      await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'chat'`,
      )
      for (const outcome of await Promise.allSettled(begun)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(Unavailable) as Unavailable })
      }
      expect(await pool.query('select 1 as one')).toEqual([{ one: 1 }])
      await pool.close()
    })

    it('whose statement PostgreSQL has cancelled fails as unavailable', async () => {
      const sleeping = db.query('select pg_sleep(60)')
      const outcome = expect(sleeping).rejects.toBeInstanceOf(Unavailable)
      await eventually(async () => {
        const { rows } = await admin.query<{ cancelled: boolean }>(
          `select pg_cancel_backend(pid) as cancelled from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active' and datname = current_database()`,
        )
        expect(rows).toHaveLength(1)
      })
      await outcome
    })
  })
})

// PostgreSQL ends the transaction of a process that hangs. The embedded database does not have this timeout.
describe.runIf(isReal)('a process that hangs in the middle of a transaction', () => {
  it.each([
    ['PostgreSQL itself', process.env.TEST_DATABASE_URL],
    ['PgBouncer', process.env.TEST_PGBOUNCER_URL],
  ])('does not keep a row locked for long, through %s', async (_through, server) => {
    const fresh = await freshDatabase()
    const url = Object.assign(new URL(server ?? ''), { pathname: new URL(fresh.url).pathname })
    const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
    const frozen = createDatabase({
      url: Object.assign(new URL(url), { host: `127.0.0.1:${proxy.port}` }).href,
      poolSize: 1,
      onIdleError: () => undefined,
    })
    const other = createDatabase({ url: url.href, poolSize: 1, onIdleError: () => undefined })
    try {
      await other.query('create table doors (id int primary key, opened int not null)')
      await other.query('insert into doors values (1, 0)')
      const open = (db: Database, then: () => void = () => undefined) =>
        db.transaction(async (tx) => {
          await tx.query('update doors set opened = opened + 1 where id = 1')
          then()
          await tx.query('select 1')
        })
      let lost: Promise<void> | undefined
      await new Promise<void>((resolve) => {
        const freeze = () => {
          proxy.freeze()
          resolve()
        }
        lost = expect(open(frozen, freeze)).rejects.toBeInstanceOf(Unavailable)
      })
      await open(other)
      expect(await other.query('select opened from doors')).toEqual([{ opened: 1 }])
      await proxy.mend()
      await lost
    } finally {
      await Promise.all([frozen.close(), other.close()])
      await proxy.close()
      await fresh.close()
    }
  })
})
