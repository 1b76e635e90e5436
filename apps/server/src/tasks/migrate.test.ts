import { randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { schemaPage } from '../../../../tools/schema.js'
import { readConfig } from '../config.js'
import { limits } from '../contract.js'
import { builtInForProduction, newPerson, startChat } from '../test/chat.js'
import { freshDatabase, hasRoles, quiet, type FreshDatabase } from '../test/database.js'
import { run as runProgram } from '../test/process.js'
import { acceptance } from './acceptance.js'
import { fixtures } from './fixtures.js'
import { migrateSchema } from './migrate.js'
import { replay } from './replay.js'
import type { Task } from './task.js'
import { upkeep } from './upkeep.js'
import { wait } from './wait.js'

describe('docs/reference/schema.sql', () => {
  it('is the schema after all migrations, as npm run docs writes it', async () => {
    const database = await freshDatabase()
    const page = await schemaPage(database.db).finally(() => database.close())
    expect(await readFile(new URL('../../../../docs/reference/schema.sql', import.meta.url), 'utf8')).toBe(page)
  })
})

describe('the columns for texts of people', () => {
  // Characters, not UTF-16 units: each of these is two of them.
  const text = (length: number) => '😀'.repeat(length)
  let database: FreshDatabase
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database.close())

  it.each([
    ['the name of an account', limits.name, 'insert into accounts (name) values ($1)', 'accounts_name_check'],
    ['the name of a room', limits.name, `insert into rooms (name, kind) values ($1, 'public')`, 'rooms_name_check'],
    [
      'the text of a message',
      limits.message,
      `with room as (insert into rooms (name, kind) values ('Any', 'private') returning id)
       insert into messages (room_id, seq, id, author_id, body)
       select room.id, 1, gen_random_uuid(), accounts.id, $1 from room, accounts where email is null limit 1`,
      'messages_body_check',
    ],
  ])('take %s of as many characters as the contract says, and not one more', async (_what, max, insert, check) => {
    await database.db.query(insert, [text(max)])
    await expect(database.db.query(insert, [text(max + 1)])).rejects.toThrow(check)
  })
})

const forgetNewest = 'delete from pgmigrations where id = (select max(id) from pgmigrations)'

async function downOfNewest(): Promise<string> {
  const migrations = new URL('../../../../migrations/', import.meta.url)
  const newest = (await readdir(migrations)).sort().at(-1) ?? ''
  return (await readFile(new URL(newest, migrations), 'utf8')).split('-- Down Migration')[1] ?? ''
}

describe.runIf(await hasRoles())('the role of the apps', () => {
  let database: FreshDatabase
  let admin: pg.Client
  /** Roles belong to the whole server, so each test has its own. Its name and its password need quoting. */
  let role: string
  let app: string
  const password = `it's "quoted" \\ $$ %I %41 ☂`

  beforeEach(async () => {
    database = await freshDatabase()
    role = `App "${randomUUID()}' --`
    app = as(role, password)
    admin = new pg.Client({ connectionString: database.url })
    await admin.connect()
  })
  afterEach(async () => {
    for (const name of [role, `${role} owner`]) {
      const { rowCount } = await admin.query('select from pg_roles where rolname = $1', [name])
      const quoted = pg.escapeIdentifier(name)
      if (rowCount === 1)
        await admin.query(`reassign owned by ${quoted} to current_user; drop owned by ${quoted}; drop role ${quoted}`)
    }
    await admin.end()
    await database.close()
  })

  it('is created by the first migration, and has enough rights for the whole chat', async () => {
    await run(migrateSchema)
    const chat = await startChat({ ...(await builtInForProduction()), DATABASE_URL: app })
    try {
      const ann = await newPerson(chat.url)
      const room = await ann.openRoom()
      const socket = await ann.connect()
      const reply = await ann.post(socket, room.id, 'Hello')
      expect(reply).toHaveProperty('data.seq', 1)
      expect(await socket.emitWithAck('message:delete', { roomId: room.id, seq: 1 })).toHaveProperty('data.seq', 1)
      expect((await ann.ask('DELETE', '/api/session')).status).toBe(204)
      ann.leave()
      for (const task of [acceptance, fixtures, upkeep, replay])
        expect(await run(task, { PUBLIC_URL: chat.url, MIGRATIONS_DATABASE_URL: '' })).toBe(0)
    } finally {
      await chat.stop()
    }
  })

  it('cannot change the schema or the table of migrations, and is no superuser', async () => {
    // The default up to PostgreSQL 14.
    await admin.query('grant create on schema public to public')
    await run(migrateSchema)
    for (const statement of [
      'create table spoils (id int)',
      'create schema spoils',
      'create extension citext',
      'create role spoils',
      'create function spoils() returns int language sql as $$ select 1 $$',
      'alter table accounts add column admin boolean',
      'alter table accounts disable trigger all',
      'drop table messages',
      'drop index messages_reply_to',
      'truncate messages',
      'select rolpassword from pg_authid',
      `update pgmigrations set name = 'spoils'`,
      'delete from pgmigrations',
      `insert into pgmigrations (name, run_on) values ('spoils', now())`,
      `copy accounts to program 'true'`,
    ]) {
      expect.soft(await outcome(app, statement), statement).toMatch(/permission denied|must be owner|must be superuser/)
    }
    expect(await outcome(app, 'select name from pgmigrations')).toBe('done')
    const { rows } = await admin.query(
      'select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles where rolname = $1',
      [role],
    )
    expect(rows.flatMap((row: object) => Object.values(row) as unknown[])).toEqual([false, false, false, false, false])
    expect(
      (await admin.query('select from pg_class join pg_roles on relowner = pg_roles.oid where rolname = $1', [role]))
        .rowCount,
    ).toBe(0)
  })

  it('can run the migrate task only while the schema is up to date', async () => {
    await run(migrateSchema)
    expect(await run(migrateSchema, { MIGRATIONS_DATABASE_URL: '' })).toBe(0)
    await admin.query(forgetNewest)
    await expect(run(migrateSchema, { MIGRATIONS_DATABASE_URL: '' })).rejects.toThrow('must be owner')
  })

  it('can use the tables and sequences of a later release', async () => {
    await run(migrateSchema)
    await admin.query('create table added (id int generated always as identity, words text); create sequence numbers')
    expect(
      await outcome(
        app,
        `insert into added (words) values ('new'); update added set words = 'newer'; delete from added; select nextval('numbers')`,
      ),
    ).toBe('done')
    expect(await outcome(app, 'alter table added add column more text')).toMatch('must be owner')
  })

  it('can connect even when a migration fails, so that the previous release keeps working', async () => {
    await admin.query(forgetNewest)
    await expect(run(migrateSchema)).rejects.toThrow('already exists')
    expect(await outcome(app, 'select * from ended_sessions')).toBe('done')
  })

  it('is created once when several processes migrate at once', async () => {
    await admin.query(`${await downOfNewest()}; ${forgetNewest}`)
    expect(await Promise.all([run(migrateSchema), run(migrateSchema), run(migrateSchema)])).toEqual([0, 0, 0])
    expect(await outcome(app, 'select * from ended_sessions')).toBe('done')
  })

  it('gets the password that is in DATABASE_URL now', async () => {
    await run(migrateSchema)
    app = as(role, 'another password')
    expect(await outcome(app, 'select 1')).toMatch('password authentication failed')
    await run(migrateSchema)
    expect(await outcome(app, 'select 1')).toBe('done')
  })

  it('does not keep a row locked when its client does not read, as on a node that has vanished', async () => {
    await run(migrateSchema)
    await admin.query('create table doors (id int primary key, opened int not null); insert into doors values (1, 0)')
    const vanished = new pg.Client({ connectionString: app })
    const lost = new Promise((resolve) => vanished.on('error', resolve))
    await vanished.connect()
    await vanished.query('begin; update doors set opened = opened + 1')
    // More data than the buffers of the connection can hold.
    vanished.query(`select repeat('x', 1000000) from generate_series(1, 200)`).catch(() => undefined)
    const { stream } = (vanished as unknown as { connection: { stream: Socket } }).connection
    stream.pause()
    await admin.query(`set lock_timeout = '10s'`)
    await vi.waitFor(() => admin.query('update doors set opened = opened + 10'), { timeout: 60_000 })
    expect((await admin.query('select opened from doors')).rows).toEqual([{ opened: 10 }])
    stream.resume()
    await lost
  }, 120_000)

  it('must exist before the wait task of the apps ends, but not before that of the migrations', async () => {
    const waiting = runProgram('apps/server/src/cli.ts', ['wait'], environment({ MIGRATIONS_DATABASE_URL: '' }))
    await waiting.said('waiting for PostgreSQL')
    expect(await run(wait)).toBe(0)
    await run(migrateSchema)
    await waiting.said('PostgreSQL answers')
    expect(await waiting.exited).toBe(0)
  })

  describe('when the owner of the schema is no superuser, as with a managed service,', () => {
    let owner: string
    beforeEach(async () => {
      owner = as(`${role} owner`, 'owner')
      const name = pg.escapeIdentifier(`${role} owner`)
      await admin.query(`create role ${name} login password 'owner'`)
      await admin.query(
        `alter database ${pg.escapeIdentifier(new URL(database.url).pathname.slice(1))} owner to ${name}`,
      )
      await admin.query(
        `drop schema public cascade; create schema public authorization pg_database_owner; grant usage on schema public to public`,
      )
    })

    it('is created too, if the owner may create roles', async () => {
      await admin.query(`alter role ${pg.escapeIdentifier(`${role} owner`)} createrole`)
      await run(migrateSchema, { MIGRATIONS_DATABASE_URL: owner })
      expect(await outcome(app, 'select * from ended_sessions')).toBe('done')
      expect(await outcome(app, 'create table spoils ()')).toMatch('permission denied')
    })

    it('must be created by hand otherwise: the error says how, and the next run uses the role', async () => {
      await expect(run(migrateSchema, { MIGRATIONS_DATABASE_URL: owner })).rejects.toThrow(
        `create role ${pg.escapeIdentifier(role)} login password`,
      )
      await expect(run(migrateSchema, { MIGRATIONS_DATABASE_URL: owner })).rejects.not.toThrow('quoted')
      expect((await admin.query(`select from pg_tables where schemaname = 'public'`)).rowCount).toBe(0)
      await admin.query(`create role ${pg.escapeIdentifier(role)} login password ${pg.escapeLiteral(password)}`)
      await run(migrateSchema, { MIGRATIONS_DATABASE_URL: owner })
      expect(await outcome(app, 'select * from ended_sessions')).toBe('done')
      expect(await outcome(app, 'create table spoils ()')).toMatch('permission denied')
    })
  })

  function as(user: string, secret: string): string {
    return Object.assign(new URL(database.url), {
      username: encodeURIComponent(user),
      password: encodeURIComponent(secret),
    }).href
  }

  function environment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    return {
      DATABASE_URL: app,
      MIGRATIONS_DATABASE_URL: database.url,
      COOKIE_SECRET: 'a secret for tests only',
      ...more,
    }
  }

  function run(task: Task, more: NodeJS.ProcessEnv = {}): Promise<number> {
    return task({ config: readConfig(environment(more)), log: quiet })
  }

  async function outcome(url: string, statement: string): Promise<string> {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      await client.query(statement)
      return 'done'
    } catch (error) {
      return (error as Error).message
    } finally {
      await client.end()
    }
  }
})
