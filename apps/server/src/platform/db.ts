import pg from 'pg'
import { Unavailable } from './errors.js'

/** Runs one statement with `$n` parameters and returns its rows. Inside a transaction as well as outside. */
export interface Db {
  query<Row extends object>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>
}

export interface Database extends Db {
  /**
   * Runs `work` in one transaction: commits when it returns, rolls back when it throws.
   * @throws LockTimeout when a statement waits longer for a lock; what `work` throws.
   */
  transaction<Result>(work: (db: Db) => Promise<Result>, options?: { lockTimeoutMs?: number }): Promise<Result>
  /** Has PostgreSQL answered anybody within the last two seconds? Known without asking, also when every connection is busy. */
  isAnswering(): boolean
  close(): Promise<void>
}

export interface DatabaseOptions {
  url: string
  /** Connections at most. */
  poolSize: number
  /** Called with the error of an idle connection: the pool replaces it by itself. */
  onIdleError: (error: Error) => void
}

/** bigint columns are counters far below 2^53, so numbers are safe and JSON can carry them. */
const types = new pg.TypeOverrides()
types.setTypeParser(pg.types.builtins.INT8, Number)

// A process that is frozen or cut off in the middle of a transaction keeps its locks until PostgreSQL ends the
// transaction. Said in each transaction, since a pooler refuses settings of a whole connection.
const begin = (lockTimeoutMs: number) => `begin;
set local idle_in_transaction_session_timeout = '3s';
set local lock_timeout = ${lockTimeoutMs};
set local statement_timeout = '10s'`

/**
 * A pool of PostgreSQL connections. Every statement obeys the rules of a transaction pooler (no session state, no
 * LISTEN, no named statements), so PgBouncer may stand in between, and so does the embedded database.
 * All of it throws `Unavailable` when PostgreSQL cannot be reached, or has ended what it was asked for.
 */
export function createDatabase({ url, poolSize, onIdleError }: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    types,
    connectionTimeoutMillis: 5_000,
    query_timeout: 12_000,
    // A peer that has vanished without a word is noticed by TCP.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'chat',
  })
  pool.on('error', (error: Error & { client?: unknown }) => {
    delete error.client // the whole connection, which a log would print
    onIdleError(error)
  })

  // The pool listens only while a connection is idle. What ends it between two statements must not end the process: the
  // next statement fails.
  pool.on('connect', (client) => client.on('error', () => undefined))

  let answeredAt = -Infinity
  async function rows<Row extends object>(
    on: pg.Pool | pg.PoolClient,
    sql: string,
    parameters?: readonly unknown[],
  ): Promise<Row[]> {
    try {
      const result = await on.query<Row & pg.QueryResultRow>(sql, parameters as unknown[])
      answeredAt = performance.now()
      return result.rows
    } catch (error) {
      if (isPassing(error)) answeredAt = -Infinity
      throw translated(error)
    }
  }

  return {
    query: (sql, parameters) => rows(pool, sql, parameters),
    async transaction(work, { lockTimeoutMs = 4_000 } = {}) {
      const client = await pool.connect().catch((error: unknown) => Promise.reject(translated(error)))
      let broken: Error | undefined
      try {
        await rows(client, begin(lockTimeoutMs))
        const result = await work({ query: (sql, parameters) => rows(client, sql, parameters) })
        await rows(client, 'commit')
        return result
      } catch (error) {
        // A connection that cannot roll back is in an unknown state: the pool must not hand it out again.
        await client.query('rollback').catch((failure: Error) => (broken = failure))
        throw error
      } finally {
        client.release(broken)
      }
    },
    isAnswering: () => performance.now() - answeredAt < 2_000,
    close: () => pool.end(),
  }
}

/** Another transaction kept a lock for longer than this one was ready to wait. */
export class LockTimeout extends Unavailable {}

/**
 * SQLSTATEs that say nothing against the statement: connection lost, no room, shutting down, called off for taking too
 * long, not the primary any more, or in the way of others.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const passing = /^(08|53|57|25006|25P0[34]|40001|40P01|55P03)/

/** What PostgreSQL itself says has an SQLSTATE. Other errors of the library are about the connection, or a mistake in a call. */
function isPassing(error: unknown): boolean {
  return error instanceof pg.DatabaseError ? passing.test(error.code ?? '') : !(error instanceof TypeError)
}

function translated(error: unknown): unknown {
  if (!isPassing(error)) return error
  const { code } = error as { code?: unknown }
  if (code === '55P03') return new LockTimeout('Another transaction keeps a lock', error)
  return new Unavailable(
    code === '53100' ? 'The disk of PostgreSQL is full: free some of it' : 'PostgreSQL is not available',
    error,
  )
}
