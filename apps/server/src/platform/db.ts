import pg from 'pg'

/** Runs one statement with `$n` parameters and returns its rows. Inside a transaction as well as outside. */
export interface Db {
  query<Row extends object>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>
}

export interface Database extends Db {
  /** Runs `work` in one transaction: commits when it returns, rolls back when it throws. */
  transaction<Result>(work: (db: Db) => Promise<Result>): Promise<Result>
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

/**
 * A pool of PostgreSQL connections. Every statement obeys the rules of a transaction pooler (no session state, no
 * LISTEN, no named statements), so PgBouncer may stand in between, and so does the embedded database.
 */
export function createDatabase({ url, poolSize, onIdleError }: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    types,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 10_000,
    query_timeout: 12_000,
    application_name: 'chat',
  })
  pool.on('error', (error: Error & { client?: unknown }) => {
    delete error.client // the whole connection, which a log would print
    onIdleError(error)
  })

  return {
    query: (sql, parameters) => rows(pool, sql, parameters),
    async transaction(work) {
      const client = await pool.connect()
      let broken: Error | undefined
      try {
        await client.query('begin')
        const result = await work({ query: (sql, parameters) => rows(client, sql, parameters) })
        await client.query('commit')
        return result
      } catch (error) {
        // A connection that cannot roll back is in an unknown state: the pool must not hand it out again.
        await client.query('rollback').catch((fault: Error) => (broken = fault))
        throw error
      } finally {
        client.release(broken)
      }
    },
    close: () => pool.end(),
  }
}

async function rows<Row extends object>(on: pg.Pool | pg.PoolClient, sql: string, parameters?: readonly unknown[]): Promise<Row[]> {
  const result = await on.query<Row & pg.QueryResultRow>(sql, parameters as unknown[])
  return result.rows
}
