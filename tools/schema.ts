import type { Db } from '../apps/server/src/platform/db.js'

interface Table {
  name: string
  columns: string[]
  constraints: string[]
  indexes: string[]
}

/**
 * The text of docs/reference/schema.sql, read from the catalogue of a migrated database. It supports tables, constraints
 * and indexes; the migrations create nothing else.
 */
export async function schemaPage(db: Db): Promise<string> {
  // Oids increase, so this is the order in which the migrations create the tables.
  const tables = await db.query<Table>(`
    select
      quote_ident(relname) as name,
      array(
        select concat_ws(' ',
          rpad(quote_ident(attname), max(length(quote_ident(attname))) over ()),
          format_type(atttypid, atttypmod),
          case when attnotnull then 'not null' end,
          'default ' || pg_get_expr(adbin, adrelid))
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = t.oid and attnum > 0 and not attisdropped
        order by attnum
      ) as columns,
      array(
        select concat_ws(' ', 'constraint', quote_ident(conname), pg_get_constraintdef(oid, true))
        from pg_constraint
        -- Since PostgreSQL 18 what is not null is a constraint, too.
        where conrelid = t.oid and contype <> 'n'
        order by contype <> 'p', contype desc, conname
      ) as constraints,
      array(
        select pg_get_indexdef(indexrelid, 0, true)
        from pg_index
        where indrelid = t.oid and not exists (
          select from pg_constraint where conindid = indexrelid and conrelid = indrelid and contype in ('p', 'u', 'x'))
        order by indexrelid
      ) as indexes
    from pg_class t
    where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'pgmigrations'
    order by oid`)
  const statements = tables.map(({ name, columns, constraints, indexes }) =>
    [`create table ${name} (\n  ${[...columns, ...constraints].join(',\n  ')}\n)`, ...indexes]
      .map((statement) => `${inLowerCase(statement)};`)
      .join('\n'),
  )
  return `-- Written by \`npm run docs\`: the whole schema, as the migrations leave it. The reasons are in migrations/.\n\n${statements.join('\n\n')}\n`
}

/** Writes keywords in lower case, as the migrations do; leaves quoted names and texts as they are. */
function inLowerCase(sql: string): string {
  return sql.replaceAll(/'[^']*'|"[^"]*"|[A-Z]+/g, (part) => (/^['"]/.test(part) ? part : part.toLowerCase()))
}
