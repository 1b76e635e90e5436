/** The chat as it runs in production: built, on PostgreSQL and Redis, set up by its own variables only. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { createClient } from 'redis'
import { freePort } from '../../apps/server/src/test/free-port.js'
import { isOk, type Context, type Setting, type Stage } from '../candidates.js'
import { pins } from '../machine.js'

const publicUrl = 'http://chat.test'
/** What one person may do in a minute is not what is measured. */
const limits = { LIMIT_POST: '1000000/1', LIMIT_SIGNAL: '1000000/1' }

/** @param directory a checkout in which the server is built. */
export async function startChat(directory: string, context: Context, setting: Setting): Promise<Stage> {
  const { daemons, postgres, redis } = context
  const name = `bench_${randomUUID().replaceAll('-', '')}`
  await query(postgres.url, `create database ${name}`)
  const databaseUrl = Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href
  const secret = randomBytes(32).toString('hex')
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    METRICS_PORT: '0',
    PUBLIC_URL: publicUrl,
    COOKIE_SECRET: secret,
    DATABASE_URL: databaseUrl,
    SESSION_REDIS: redis.url,
    BUS: 'in-process',
    STORAGE: 'disk',
    DATA_DIR: daemons.folder(name),
    MAILER: 'mailbox',
    DRAIN_MS: '0',
    ...limits,
  }
  await promisify(execFile)(process.execPath, ['apps/server/dist/cli.js', 'migrate'], { env, cwd: directory })

  const rooms = Array.from({ length: setting.rooms }, () => randomUUID())
  const people = setting.people.map(({ room, replica = 0 }) => ({
    id: randomUUID(),
    room: rooms[room] ?? '',
    replica,
    sid: randomBytes(24).toString('base64url'),
  }))
  await fill(databaseUrl, rooms, people)
  await signIn(redis.url, people)
  if (setting.countStatements) {
    await query(databaseUrl, 'create extension pg_stat_statements')
    await query(databaseUrl, `alter database ${name} set pg_stat_statements.track = 'top'`)
  }

  const replicas = await Promise.all(
    Array.from({ length: setting.replicas ?? 1 }, async (_, index) => {
      const port = await freePort()
      const running = await daemons.start({
        name: `${name}-${index}`,
        command: [...pins.server, process.execPath, join(directory, 'apps/server/dist/main.js')],
        env: { ...env, PORT: String(port) },
        isReady: () => isOk(`http://127.0.0.1:${port}/readyz`),
      })
      return { pid: running.pid, origin: `127.0.0.1:${port}`, kill: () => running.stop('SIGKILL') }
    }),
  )
  const originOf = (replica: number) => replicas[replica % replicas.length]?.origin
  return {
    people: people.map(({ sid, room, replica }) => ({
      url: `ws://${originOf(replica)}/socket.io/?EIO=4&transport=websocket`,
      headers: { Origin: publicUrl, Cookie: cookieOf(sid, secret) },
      rooms: [room],
    })),
    groups: { server: replicas.map(({ pid }) => pid), postgres: [postgres.pid], redis: [redis.pid] },
    history: `http://${replicas.at(-1)?.origin}`,
    replicas,
    database: { url: databaseUrl, query: (sql) => query(databaseUrl, sql) },
    async stop() {
      await Promise.all(replicas.map(({ kill }) => kill()))
      await query(postgres.url, `drop database ${name} with (force)`)
    },
  }
}

async function query(url: string, sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql, values)).rows
  } finally {
    await client.end()
  }
}

/** Puts people and rooms where signing up would take a fifth of a second each. */
async function fill(url: string, rooms: string[], people: { id: string; room: string }[]) {
  const ids = people.map(({ id }) => id)
  await query(
    url,
    `insert into accounts (id, name, email, password_hash)
     select id, 'Person ' || n, 'person-' || n || '@example.com', 'none' from unnest($1::uuid[]) with ordinality as p (id, n)`,
    [ids],
  )
  await query(
    url,
    `insert into rooms (id, name, kind) select id, 'Bench ' || n, 'private' from unnest($1::uuid[]) with ordinality as r (id, n)`,
    [rooms],
  )
  await query(url, `insert into memberships (room_id, account_id) select * from unnest($1::uuid[], $2::uuid[])`, [
    people.map(({ room }) => room),
    ids,
  ])
  await query(url, 'analyze')
}

/** Writes sessions as express-session keeps them in Redis. */
async function signIn(url: string, people: { id: string; sid: string }[]) {
  const client = await createClient({ url }).connect()
  await client.flushAll()
  const maxAge = 24 * 3600_000
  const cookie = { originalMaxAge: maxAge, expires: new Date(Date.now() + maxAge), httpOnly: true, path: '/' }
  const session = (accountId: string) => JSON.stringify({ cookie, accountId, epoch: 0, begunAt: Date.now() })
  await Promise.all(people.map(({ id, sid }) => client.set(`session:${sid}`, session(id), { EX: maxAge / 1000 })))
  client.destroy()
}

function cookieOf(sid: string, secret: string): string {
  const signature = createHmac('sha256', secret).update(sid).digest('base64').replace(/=+$/, '')
  return `chat.sid=${encodeURIComponent(`s:${sid}.${signature}`)}`
}
