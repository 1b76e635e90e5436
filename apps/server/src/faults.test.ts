import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { newPerson } from './test/chat.js'
import { freshDatabase, type FreshDatabase } from './test/database.js'
import { run } from './test/process.js'

/** Starts a server in a separate process, with limits that no test reaches. */
async function startServer({ url: databaseUrl }: FreshDatabase, more: NodeJS.ProcessEnv = {}) {
  const server = run('apps/server/src/main.ts', [], {
    DATABASE_URL: databaseUrl,
    COOKIE_SECRET: 'a secret for tests only',
    PORT: '0',
    METRICS_PORT: '0',
    LIMIT_POST: '100000/10',
    LIMIT_SIGN_UP: '1000/60',
    ...more,
  })
  const { url } = (await server.said('listening')) as { url: string }
  return { server, url }
}

// The embedded database has a single backend, which cannot be terminated.
describe.runIf(process.env.TEST_SESSION_REDIS)('a server process', () => {
  it('survives when PostgreSQL repeatedly terminates all connections, and keeps every acknowledged message', async () => {
    const database = await freshDatabase()
    const admin = new pg.Client({ connectionString: database.url })
    await admin.connect()
    const { server, url } = await startServer(database)
    const ann = await newPerson(url)
    const rooms = await Promise.all([1, 2, 3, 4, 5].map(() => ann.openRoom('private')))
    const acknowledged: string[] = []
    const others = new Set<string>()
    let isOver = false

    const sockets = await Promise.all(rooms.map(async ({ id: roomId }) => ({ roomId, socket: await ann.connect() })))
    const posting = sockets.map(async ({ roomId, socket }) => {
      while (!isOver) {
        const reply = await ann.post(socket, roomId, 'still there?')
        if ('data' in reply) acknowledged.push(reply.data.id)
        else others.add(reply.error.code)
      }
    })
    for (let fault = 0; fault < 20; fault += 1) {
      const before = acknowledged.length
      await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      )
      while (acknowledged.length < before + 10)
        await Promise.race([server.exited.then((code) => expect.fail(`the process ended with ${code}`)), sleep(20)])
    }
    isOver = true
    await Promise.all(posting)
    server.child.kill('SIGTERM')
    expect(await server.exited).toBe(0)
    const { rows } = await admin.query<{ id: string }>('select id from messages where author_id = $1', [ann.account.id])
    const stored = new Set(rows.map(({ id }) => id))
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([])
    // All other posts were answered with `unavailable`, and none with `fault`.
    expect([...others]).toEqual(['unavailable'])
    await admin.end()
    await database.close()
  })

  it('that is told to stop does not wait for a client that never ends its request', async () => {
    const database = await freshDatabase()
    const { server, url } = await startServer(database, { STOP_TIMEOUT_MS: '20000' })
    const sender = connect(Number(new URL(url).port), '127.0.0.1')
    sender.on('error', () => undefined)
    const expected = once(sender, 'data')
    sender.write(
      `POST /api/session HTTP/1.1\r\nhost: 127.0.0.1\r\norigin: http://127.0.0.1\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n`,
    )
    await expected // the server waits for the body
    server.child.kill('SIGTERM')
    expect(await server.exited).toBe(0)
    await database.close()
  })

  it('that is told to stop under load finishes or refuses all requests, logs only JSON, and exits with 0', async () => {
    const database = await freshDatabase()
    const { server, url } = await startServer(database, { STOP_TIMEOUT_MS: '60000' })
    const ann = await newPerson(url)
    const [room, other] = [await ann.openRoom('private'), await ann.openRoom('private')]
    const socket = await ann.connect()
    const acknowledged: string[] = []
    const hammer = () => {
      for (const { id: roomId } of [room, other]) {
        for (let each = 0; each < 150; each += 1) {
          ann.post(socket, roomId, 'in hand').then(
            (reply) => 'data' in reply && acknowledged.push(reply.data.id),
            () => undefined, // disconnected before the answer
          )
        }
        ann.ask('GET', `/api/rooms/${roomId}/messages`).catch(() => undefined)
      }
    }
    hammer()
    while (acknowledged.length < 20) await sleep(5)
    server.child.kill('SIGTERM')
    hammer()
    expect(await server.exited).toBe(0)

    const lines = server.output().trim().split('\n')
    expect(lines.filter((line) => !line.startsWith('{"level"'))).toEqual([])
    expect(lines.filter((line) => line.includes('Cannot use a pool'))).toEqual([])
    const rows = await database.db.query<{ id: string }>('select id from messages')
    const stored = new Set(rows.map(({ id }) => id))
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([])
    await database.close()
  })
})
