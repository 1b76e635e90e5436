import pg from 'pg'
import type { Database, Db } from '../platform/db.js'

interface Plan {
  'Node Type': string
  'Relation Name'?: string
  'Plan Rows': number
  Plans?: Plan[]
}

/** Adds people, and public rooms with these numbers. Returns the ids of the first person and the first room. */
export async function addPeopleAndRooms(
  db: Db,
  { people, rooms, head, version = 0 }: { people: number; rooms: number; head: number; version?: number },
): Promise<{ accountId: string; roomId: string }> {
  const accounts = await db.query<{ id: string }>(
    `insert into accounts (name, email, password_hash)
     select 'Person ' || n, 'person' || n || '@example.com', 'x' from generate_series(1, $1::int) n returning id`,
    [people],
  )
  const added = await db.query<{ id: string }>(
    `insert into rooms (name, kind, head, version)
     select 'Room ' || n, 'public', $2::bigint, $3::bigint from generate_series(1, $1::int) n returning id`,
    [rooms, head, version],
  )
  return { accountId: accounts[0]!.id, roomId: added[0]!.id }
}

/** The statements that `work` runs, without running them. */
async function statementsOf(work: (db: Db) => Promise<unknown>): Promise<{ sql: string; parameters: unknown[] }[]> {
  const statements: { sql: string; parameters: unknown[] }[] = []
  await work({
    query(sql, parameters = []) {
      statements.push({ sql, parameters: [...parameters] })
      return Promise.resolve([])
    },
  })
  return statements
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  return pg.escapeLiteral(
    Array.isArray(value) ? `{${JSON.stringify(value).slice(1, -1)}}` : `${value as string | number}`,
  )
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]

/**
 * What is wrong with the plans of the statements that `work` runs: a table read as a whole, or more than ten
 * thousand rows sorted. Each statement is planned for its parameters, and once for any parameters: that is the plan PostgreSQL may keep
 * for a prepared statement.
 */
export async function costlyNodes(
  db: Database,
  tables: string[],
  work: (db: Db) => Promise<unknown>,
): Promise<string[]> {
  const costly: string[] = []
  for (const { sql, parameters } of await statementsOf(work)) {
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await db.transaction(async (tx) => {
        await tx.query(`set local plan_cache_mode = ${mode}`)
        await tx.query(`prepare asked as ${sql}`)
        const given = parameters.length === 0 ? '' : `(${parameters.map(literal).join(', ')})`
        const [row] = await tx.query<{ 'QUERY PLAN': { Plan: Plan }[] }>(`explain (format json) execute asked${given}`)
        await tx.query('deallocate asked')
        for (const node of nodesOf(row!['QUERY PLAN'][0]!.Plan)) {
          const table = node['Relation Name'] ?? ''
          if (node['Node Type'] === 'Seq Scan' && tables.includes(table)) costly.push(`${mode}: Seq Scan on ${table}`)
          if (node['Node Type'] === 'Sort' && node['Plan Rows'] > 10_000)
            costly.push(`${mode}: Sort of ${node['Plan Rows']} rows`)
        }
      })
    }
  }
  return costly
}
