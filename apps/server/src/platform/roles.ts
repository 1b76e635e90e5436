import { setTimeout as sleep } from 'node:timers/promises'
import { PG_MIGRATE_LOCK_ID } from 'node-pg-migrate'
import pg from 'pg'
import { createDatabase, type Database, type Db } from './db.js'
import { Unavailable } from './errors.js'
import { Explained } from './explain.js'

/** What the apps may do, in tables to come as well: read and write rows, and nothing else. */
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
 * Lets the role that `appUrl` names read and write rows, and nothing else. The owner of the schema does it, by `ownerUrl`:
 * makes the role where it is missing, and gives it the password of its address where it has another one. Does nothing when
 * both addresses name the same role.
 * @throws Explained with what to run by hand when the owner may not make roles.
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

/** How long PostgreSQL keeps up a connection whose other end says nothing, or takes nothing. */
const patience = `
  alter role current_user set tcp_keepalives_idle = 10;
  alter role current_user set tcp_keepalives_interval = 2;
  alter role current_user set tcp_user_timeout = '4s'`

/**
 * Has PostgreSQL give up the connections of the apps whose node has vanished. By itself it keeps them for hours, and
 * while such a one does not take its answer, its locks as well: no other timeout ends that. Set for the role, by the role,
 * since a pooler refuses settings of a connection. A server that does not know them has patience of its own.
 */
export async function giveUpVanished(appUrl: string): Promise<void> {
  const db = createDatabase({ url: appUrl, poolSize: 1, onIdleError: () => undefined })
  try {
    await inTurn(db, (tx) => tx.query(patience))
  } catch (error) {
    if (error instanceof Unavailable) throw error
  } finally {
    await db.close()
  }
}

/** In the words of whoever may: what the owner may not. The password stays where it is. */
function byHand(verb: string, user: string): string {
  const problem = verb === 'create' ? 'is missing' : 'is refused with the password of its address'
  return `The role of DATABASE_URL ${problem}, and the one of MIGRATIONS_DATABASE_URL may not change that. Let an administrator of the database run, with that password:\n  ${verb} role ${pg.escapeIdentifier(user)} login password '…'`
}

/** PostgreSQL itself puts names and passwords into the statement. */
async function run(tx: Db, template: string, user: string, secret: string): Promise<void> {
  const [statement] = await tx.query<{ sql: string }>(
    'select format($1, $2::text, $3::text, current_database()) as sql',
    [template, user, secret],
  )
  await tx.query(statement?.sql ?? '')
}

/** Only a refused name or password counts: whatever else there is concerns the owner too, or becomes right by the rights. */
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

/** One at a time, and not while somebody migrates: all of them change the same rows of the catalogue. */
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
