import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newPerson, nextNews, password, Person } from './test/chat.js'
import { freshDatabase, type FreshDatabase } from './test/database.js'
import { eventually } from './test/eventually.js'
import { freePort } from './test/free-port.js'
import { run } from './test/process.js'
import { startProxy } from './test/proxy.js'

describe('the server process', () => {
  let database: FreshDatabase
  let env: NodeJS.ProcessEnv
  beforeAll(async () => {
    database = await freshDatabase()
    env = { DATABASE_URL: database.url, COOKIE_SECRET: 'a secret for tests only', PORT: '0', METRICS_PORT: '0' }
  })
  afterAll(() => database.close())

  it('lists every problem of its environment and exits with 1', async () => {
    const server = run('apps/server/src/main.ts', [], { S3_ENDPOINT: 's3' })
    expect(await server.exited).toBe(1)
    expect(server.output()).toBe(
      `Some environment variables are missing or wrong:
  - DATABASE_URL is missing. Set it to postgres://user:password@host:5432/name
  - S3_ACCESS_KEY is missing. Set it too, because S3_ENDPOINT is set
  - S3_SECRET_KEY is missing. Set it too, because S3_ENDPOINT is set
  - COOKIE_SECRET is missing. Set it to one or more secrets, separated by commas: the first one signs, all verify
`,
    )
  })

  it('says which port is in use and exits with 1', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const server = run('apps/server/src/main.ts', [], { ...env, PORT: String(port) })
    expect(await server.exited).toBe(1)
    expect(server.output()).toContain(
      `Port ${port} is in use by another program. Set PORT or METRICS_PORT to a free one.\n`,
    )
    other.close()
  })

  it('logs JSON with request ids, and no passwords, email addresses, cookies or messages', async () => {
    const server = run('apps/server/src/main.ts', [], { ...env, DEBUG: '1' })
    const { url } = (await server.said('listening')) as { url: string }
    const ann = await newPerson(url, 'Secretive')
    await ann.ask('POST', '/api/session', { email: ann.account.email, password: 'wrong-password' })
    const socket = await ann.connect()
    const room = await ann.openRoom('private', 'A room nobody knows')
    await ann.post(socket, room.id, 'for your eyes only')
    const { headers } = await ann.ask('GET', `/api/rooms/${room.id}/messages?after=0`, undefined, {
      'x-request-id': 'from-the-proxy-1',
    })
    expect(headers.get('x-request-id')).toBe('from-the-proxy-1')
    const cookie = ann.cookie
    await ann.ask('DELETE', '/api/session')
    server.child.kill('SIGTERM')
    await server.exited

    const lines = server
      .output()
      .trim()
      .split('\n')
      .map(
        (line) => JSON.parse(line) as { time: string; level: string; msg: string; reqId?: string; accountId?: string },
      )
    expect(lines.find(({ reqId }) => reqId === 'from-the-proxy-1')).toMatchObject({
      msg: 'request completed',
      req: { method: 'GET', path: `/api/rooms/${room.id}/messages` },
      res: { statusCode: 200 },
    })
    expect(lines.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['signed up', 'signed out']))
    expect(lines.every(({ time }) => /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(time))).toBe(true)
    for (const secret of [
      password,
      'wrong-password',
      ann.account.email,
      cookie.split('=')[1] as string,
      'for your eyes only',
      'a secret for tests only',
      'A room nobody knows',
    ]) {
      expect(server.output()).not.toContain(secret)
    }
  })

  it('serves its metrics and version on a separate port', async () => {
    const metricsPort = await freePort()
    const server = run('apps/server/src/main.ts', [], {
      ...env,
      METRICS_PORT: String(metricsPort),
      APP_VERSION: '1.0.2',
    })
    const { url, version } = (await server.said('listening')) as { url: string; version: string }
    const at = (path: string, base = url) => fetch(base + path)
    expect((await at('/healthz')).status).toBe(200)
    expect((await at('/readyz')).status).toBe(200)
    expect((await at('/metrics')).status).toBe(404)
    expect(version).toBe('1.0.2')
    expect(await (await at('/version', `http://127.0.0.1:${metricsPort}`)).json()).toEqual({ version })
    const metrics = await (await at('/metrics', `http://127.0.0.1:${metricsPort}`)).text()
    expect(metrics).toMatch(/^chat_sockets 0$/m)
    expect(metrics).toMatch(/^chat_build_info\{version="1\.0\.2"\} 1$/m)
    expect(metrics).toMatch(/^process_cpu_seconds_total /m)
    server.child.kill('SIGINT')
    expect(await server.exited).toBe(0)
  })

  it('is ready only when the database has the schema of its release', async () => {
    await database.db.query(`update pgmigrations set name = name || '_not' where name = '0007_presence'`)
    const server = run('apps/server/src/main.ts', [], env)
    const { url } = (await server.said('listening')) as { url: string }
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    await database.db.query(`update pgmigrations set name = '0007_presence' where name = '0007_presence_not'`)
    await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200))
    server.child.kill('SIGTERM')
    await server.exited
  })

  it('stops gracefully: is not ready at once, still answers, keeps every acknowledged message, and exits with 0', async () => {
    const server = run('apps/server/src/main.ts', [], { ...env, DRAIN_MS: '1500' })
    const { url } = (await server.said('listening')) as { url: string }
    const ann = await newPerson(url)
    const room = await ann.openRoom('private')
    const socket = await ann.connect()
    const disconnected = new Promise((resolve) => socket.once('disconnect', resolve))
    server.child.kill('SIGTERM')
    await server.said('stopping')
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect((await ann.ask('GET', '/api/me')).status).toBe(200)
    const heard = nextNews(socket, 'messages:posted')
    expect(await ann.post(socket, room.id, 'before you go')).toHaveProperty('data.seq', 1)
    await heard
    await disconnected
    expect(await server.exited).toBe(0)
    expect(await database.db.query('select body from messages where room_id = $1', [room.id])).toEqual([
      { body: 'before you go' },
    ])
  })
})

describe('the command line', () => {
  let database: FreshDatabase
  let env: NodeJS.ProcessEnv
  beforeAll(async () => {
    database = await freshDatabase()
    env = { DATABASE_URL: database.url, COOKIE_SECRET: 'a secret for tests only' }
  })
  afterAll(() => database.close())
  const cli = async (task: string, more: NodeJS.ProcessEnv = {}) => {
    const running = run('apps/server/src/cli.ts', [task], { ...env, ...more })
    const code = await running.exited
    return { code, output: running.output() }
  }

  it('reports an unreachable database without a stack', async () => {
    const { code, output } = await cli('migrate', {
      DATABASE_URL: `postgres://chat:secret@127.0.0.1:${await freePort()}/chat`,
    })
    expect([code, output]).toEqual([
      1,
      expect.stringMatching(/^PostgreSQL is not available: connect ECONNREFUSED [\d.:]+\. For details, run: /),
    ])
    expect(output).not.toContain('secret')
  })

  it('lists its tasks when the task is unknown', async () => {
    const { code, output } = await cli('dance')
    expect(code).toBe(2)
    for (const task of ['wait', 'migrate', 'fixtures', 'bucket', 'upkeep', 'replay', 'acceptance', 'doctor'])
      expect(output).toContain(`  ${task} `)
  })

  it('waits for a database that does not answer yet, and logs why', async () => {
    const { hostname, port } = new URL(database.url)
    const proxy = await startProxy({ host: hostname, port: Number(port) })
    await proxy.refuse()
    const waiting = run('apps/server/src/cli.ts', ['wait'], {
      ...env,
      DATABASE_URL: Object.assign(new URL(database.url), { host: `127.0.0.1:${proxy.port}` }).href,
    })
    expect(await waiting.said('waiting for PostgreSQL')).toMatchObject({
      reason: expect.stringContaining('ECONNREFUSED') as string,
    })
    await proxy.mend()
    await waiting.said('PostgreSQL answers')
    expect(await waiting.exited).toBe(0)
    await proxy.close()
  })

  it('migrates nothing after a rollback from a newer release', async () => {
    await database.db.query(`insert into pgmigrations (name, run_on) values ('9999_from_the_future', now())`)
    const { code, output } = await cli('migrate')
    expect([code, output]).toEqual([0, expect.stringContaining('the schema is newer than this release')])
    await database.db.query(`delete from pgmigrations where name = '9999_from_the_future'`)
    expect((await cli('migrate')).code).toBe(0)
  })

  it('refuses to migrate a database with migrations of other releases, and changes nothing', async () => {
    await database.db.query(`update pgmigrations set name = '0007_from_elsewhere' where name = '0007_presence'`)
    const { code, output } = await cli('migrate')
    await database.db.query(`update pgmigrations set name = '0007_presence' where name = '0007_from_elsewhere'`)
    expect([code, output]).toEqual([
      1,
      expect.stringMatching(
        /does not know \(0007_from_elsewhere\) and lacks some of its own \(0007_presence\)\. Deploy the release/,
      ),
    ])
  })

  it('adds the demo people, who sign in with the passwords in the fixtures', async () => {
    expect((await cli('fixtures')).code).toBe(0)
    const server = run('apps/server/src/main.ts', [], { ...env, PORT: '0', METRICS_PORT: '0' })
    const { url } = (await server.said('listening')) as { url: string }
    const { status } = await new Person(url).ask('POST', '/api/session', {
      email: 'anna@example.com',
      password: 'anna loves helm',
    })
    expect(status).toBe(201)
    server.child.kill('SIGTERM')
    await server.exited
  })

  it('deletes expired sessions and no others', async () => {
    await database.db.query(
      `insert into sessions (id, data, expires_at) values ('old', '{}', now() - interval '1 minute'), ('new', '{}', now() + interval '1 minute')`,
    )
    const { code, output } = await cli('upkeep')
    expect([code, output]).toEqual([0, expect.stringContaining('"sessions":1')])
    expect(await database.db.query(`select id from sessions where id in ('old', 'new')`)).toEqual([{ id: 'new' }])
  })

  it('tests the whole chat from outside and leaves no data', async () => {
    const server = run('apps/server/src/main.ts', [], { ...env, PORT: '0', METRICS_PORT: '0' })
    const { url } = (await server.said('listening')) as { url: string }
    const state = () =>
      database.db.query(
        `select (select count(*) from accounts) as accounts, (select count(*) from rooms) as rooms, (select count(*) from messages) as messages`,
      )
    const before = await state()
    const { code, output } = await cli('acceptance', { PUBLIC_URL: url })
    expect([code, output]).toEqual([0, expect.stringContaining('a message arrived live and is in the history')])
    server.child.kill('SIGTERM')
    await server.exited
    expect(await state()).toEqual(before)
  })

  it('says which part is broken, with a line of advice', async () => {
    const gone = `127.0.0.1:${await freePort()}`
    const { code, output } = await cli('doctor', {
      SESSION_REDIS: `redis://${gone}`,
      AMQP_URI: `amqp://${gone}`,
      S3_ENDPOINT: '127.0.0.1',
      S3_PORT: gone.split(':')[1],
      S3_SSL: 'false',
      S3_ACCESS_KEY: 'key',
      S3_SECRET_KEY: 'secret',
      MAILGUN_APIKEY: 'key',
      MAILGUN_DOMAIN: 'mg.example.com',
      MAILGUN_FROM: 'chat@mg.example.com',
      MAILGUN_URL: `http://${gone}`,
      PUBLIC_URL: `http://${gone}`,
    })
    expect(code).toBe(1)
    expect([...output.matchAll(/^(ok|FAIL) +(\w+)/gm)].map(([, verdict, part]) => `${verdict} ${part}`)).toEqual([
      'ok database',
      'ok schema',
      'ok clock',
      'FAIL sessions',
      'FAIL bus',
      'FAIL storage',
      'FAIL mail',
      'FAIL origin',
    ])
    expect(output.match(/→ /g)).toHaveLength(5)
  })
})
