import { setTimeout as sleep } from 'node:timers/promises'
import { PG_MIGRATE_LOCK_ID } from 'node-pg-migrate'
import pg from 'pg'
import { createDatabase, type Database, type Db } from './db.js'
import { Unavailable } from './errors.js'
import { Explained } from './explain.js'

/** The rights of the apps, also in future tables: read and write rows, and nothing else. */
const rights = `
  grant connect on database %3$I to %1$I;
  grant usage on schema public to %1$I;
  grant select, insert, update, delete on all tables in schema public to %1$I;
  grant usage, select on all sequences in schema public to %1$I;
  alter default privileges in schema public grant select, insert, update, delete on tables to %1$I;
  alter default privileges in schema public grant usage, select on sequences to %1$I;
  revoke create on schema public from public; -- everybody has it before PostgreSQL 15
  do $$ begin
    if to_regclass('public.pgmigrations') is not null then
      revoke insert, update, delete on public.pgmigrations from %1$I;
    end if;
  end $$`

/**
 * Lets the role in `appUrl` read and write rows, and nothing else. The owner of the schema, the role in `ownerUrl`, creates
 * the role when it does not exist, and sets its password to the one in `appUrl` when it has another one. Does nothing when
 * both URLs have the same role.
 * @throws Explained with the statement to run by hand when the owner may not create roles.
 */
export async function admitApps({
  db,
  ownerUrl,
  appUrl,
}: {
  db: Database
  ownerUrl: string
  appUrl: string
}): Promise<void> {
  const { user = '', password } = new pg.Client(appUrl)
  if (user === new pg.Client(ownerUrl).user) return
  const secret = String(password ?? '')
  const isRefused = await refuses(ownerUrl, user, secret)
  await inTurn(db, async (tx) => {
    const [found] = await tx.query<{ exists: boolean; mayMake: boolean }>(
      `select exists (select from pg_roles where rolname = $1), rolsuper or rolcreaterole as "mayMake" from pg_roles where rolname = current_user`,
      [user],
    )
    const verb = found?.exists === true ? 'alter' : 'create'
    if (isRefused || verb === 'create') {
      if (found?.mayMake !== true) throw new Explained(byHand(verb, user))
      await run(tx, `${verb} role %1$I login password %2$L`, user, secret)
    }
    await run(tx, rights, user, secret)
  })
}

/** How long PostgreSQL keeps a connection whose client does not answer or does not read. */
const timeouts = `
  alter role current_user set tcp_keepalives_idle = 10;
  alter role current_user set tcp_keepalives_interval = 2;
  alter role current_user set tcp_user_timeout = '4s'`

/**
 * Makes PostgreSQL close the connections of apps whose node has vanished. By default it keeps them for hours, together with
 * their locks while a result is not read, and no other timeout ends that. The role sets this for itself, because a pooler
 * refuses settings of a connection. A server that does not know these settings keeps its own timeouts.
 */
export async function giveUpVanished(appUrl: string): Promise<void> {
  const db = createDatabase({ url: appUrl, poolSize: 1, onIdleError: () => undefined })
  try {
    await inTurn(db, (tx) => tx.query(timeouts))
  } catch (error) {
    if (error instanceof Unavailable) throw error
  } finally {
    await db.close()
  }
}

/** The error for the operator when the owner may not do it. It does not contain the password. */
function byHand(verb: string, user: string): string {
  const problem = verb === 'create' ? 'does not exist' : 'cannot sign in with its password'
  return `The role in DATABASE_URL ${problem}, and the role in MIGRATIONS_DATABASE_URL may not change that. Ask an administrator of the database to run this statement with the password in DATABASE_URL:\n  ${verb} role ${pg.escapeIdentifier(user)} login password '…'`
}

/** Runs a statement in which PostgreSQL itself quotes the name and the password. */
async function run(tx: Db, template: string, user: string, secret: string): Promise<void> {
  const [statement] = await tx.query<{ sql: string }>(
    'select format($1, $2::text, $3::text, current_database()) as sql',
    [template, user, secret],
  )
  await tx.query(statement?.sql ?? '')
}

/** Does PostgreSQL refuse this name or password? Other errors do not count: they concern the owner too, or `rights` ends them. */
async function refuses(url: string, user: string, secret: string): Promise<boolean> {
  const address = Object.assign(new URL(url), {
    username: encodeURIComponent(user),
    password: encodeURIComponent(secret),
  }).href
  const db = createDatabase({ url: address, poolSize: 1, onIdleError: () => undefined })
  const code = await db.query('select 1').then(
    () => '',
    (error: { code?: string }) => error.code,
  )
  await db.close()
  return code?.startsWith('28') ?? false
}

/** Runs `work` under the lock of the migrations, because all of them change the same rows of the catalogue. */
async function inTurn(db: Database, work: (tx: Db) => Promise<unknown>): Promise<void> {
  for (;;) {
    const isMine = await db.transaction(async (tx) => {
      const [lock] = await tx.query<{ mine: boolean }>('select pg_try_advisory_xact_lock($1) as mine', [
        PG_MIGRATE_LOCK_ID,
      ])
      if (lock?.mine === true) await work(tx)
      return lock?.mine
    })
    if (isMine === true) return
    await sleep(500)
  }
}
