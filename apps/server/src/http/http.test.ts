import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import express, { type RequestHandler } from 'express'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest'
import { answerErrors } from './http.js'
import { Unavailable } from '../platform/errors.js'
import { PostgresSessionStore } from '../sessions/postgres-session-store.js'
import { builtInForProduction, newPerson, password, Person, startChat, type Chat } from '../test/chat.js'
import { eventually } from '../test/eventually.js'
import { startProxy } from '../test/proxy.js'

describe('the HTTP server', () => {
  let chat: Chat
  beforeAll(async () => {
    chat = await startChat()
  })
  afterAll(() => chat.stop())

  it('sends security headers with every response, errors included, and does not name its framework', async () => {
    const ann = await newPerson(chat.url)
    const health = ['/healthz', '/readyz', '/version']
    for (const path of [
      '/',
      '/api/me',
      '/api/nothing',
      '/avatars/nothing',
      '/assets/nothing.js',
      '/%E0%A4%A',
      ...health,
    ]) {
      const { headers } = await ann.ask('GET', path)
      expect({ path, csp: headers.get('content-security-policy') }).toMatchObject({
        path,
        csp: expect.stringMatching(/^default-src 'none';script-src 'self';style-src 'self';/) as string,
      })
      expect(headers.get('content-security-policy')).not.toContain('unsafe')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-powered-by')).toBeNull()
      expect(headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    }
  })

  it('sends security headers when Socket.IO refuses a request', async () => {
    const { status, headers } = await new Person(chat.url).ask('GET', '/socket.io/?EIO=4&transport=polling')
    expect([status, headers.get('x-content-type-options')]).toEqual([400, 'nosniff'])
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  it('forbids caching of API responses, errors included', async () => {
    const ann = await newPerson(chat.url)
    const stranger = new Person(chat.url)
    const sessionsAway = new Person((await chat.replica({ SESSION_REDIS: 'redis://127.0.0.1:1' })).url)
    sessionsAway.cookie = ann.cookie
    const strict = new Person((await chat.replica({ LIMIT_SIGN_UP: '1/600' })).url)
    const newcomer = () => ({ name: 'N', email: `n-${randomUUID()}@example.com`, password: 'correct horse battery' })
    await strict.ask('POST', '/api/accounts', newcomer())
    const answers = [
      await ann.ask('GET', '/api/me'),
      await stranger.ask('GET', '/api/me'),
      await ann.ask('GET', '/api/nothing'),
      await ann.ask('GET', '/api/rooms/%E0%A4%A/members'),
      await ann.ask('POST', '/api/rooms', '{"name": '),
      await ann.ask('PATCH', '/api/me', { name: 'Mallory' }, { origin: 'https://evil.example.com' }),
      await ann.ask('POST', '/api/rooms', { name: 'x'.repeat(70_000) }),
      await ann.ask('PUT', '/api/me/avatar', 'text', { 'content-type': 'text/plain' }),
      await strict.ask('POST', '/api/accounts', newcomer()),
      await sessionsAway.ask('GET', '/api/me'),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 404, 400, 400, 403, 413, 415, 429, 503])
    expect(answers.map(({ headers }) => headers.get('cache-control'))).toEqual(answers.map(() => 'no-store'))
  })

  it('tells its version only to people who are signed in', async () => {
    const stranger = await new Person(chat.url).ask('GET', '/version')
    expect([stranger.status, stranger.body]).toEqual([
      401,
      { error: { code: 'unauthenticated', reason: 'signed_out', message: 'Please sign in.' } },
    ])
    const ann = await newPerson(chat.url)
    expect((await ann.ask('GET', '/version')).body).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    })
  })

  it('protects the database from many requests to /readyz', async () => {
    const { hostname, port } = new URL(chat.database.url)
    const proxy = await startProxy({ host: hostname, port: Number(port) })
    const { url } = await chat.replica({
      DATABASE_URL: Object.assign(new URL(chat.database.url), { host: `127.0.0.1:${proxy.port}` }).href,
    })
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    const before = proxy.taken()
    const crowd = await Promise.all(Array.from({ length: 60 }, () => fetch(`${url}/readyz`)))
    expect(new Set(crowd.map(({ status }) => status))).toEqual(new Set([200]))
    // Queries at the same time would each open a connection.
    expect(proxy.taken() - before).toBeLessThan(5)
    await proxy.close()
  })

  it('answers impossible file names like missing files', async () => {
    const ann = await newPerson(chat.url)
    const long = 'a'.repeat(5_000)
    for (const path of [
      `/avatars/${long}.webp`,
      `/avatars/${long}`,
      '/avatars/a%00.webp',
      `/assets/${long}.js`,
      `/assets/${long}.0123456789abcdef0123.js`,
      '/assets/a%00.js',
    ]) {
      expect({ path: path.slice(0, 20), status: (await ann.ask('GET', path)).status }).toEqual({
        path: path.slice(0, 20),
        status: 404,
      })
    }
    for (const id of [long, 'a%00']) expect((await ann.ask('GET', `/api/rooms/${id}/messages`)).status).toBe(400)
  })

  describe('without PUBLIC_URL', () => {
    /** Sends a request as a browser does for a host name that leads to this machine. */
    const askAs = (headers: Record<string, string>, { method = 'GET', path = '/', url = chat.url } = {}) =>
      new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
        const { port } = new URL(url)
        const asking = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk: Buffer) => chunks.push(chunk))
          answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(chunks).toString() }))
        })
        asking.on('upgrade', (answer, socket) => (socket.destroy(), resolve({ status: answer.statusCode, body: '' })))
        asking.on('error', reject)
        asking.end()
      })
    const handshake = { path: '/socket.io/?EIO=4&transport=websocket' }
    const upgrade = {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
    }

    it('accepts only names of this machine, against DNS rebinding', async () => {
      for (const host of [
        'evil.example',
        'evil.example:80',
        'localhost.evil.example',
        '127.0.0.1.evil.example',
        '192.168.1.7',
        '0.0.0.0',
      ]) {
        for (const path of ['/', '/api/me', '/healthz', '/nothing']) {
          const { status, body } = await askAs({ host }, { path })
          expect({ host, path, status, body }).toMatchObject({
            host,
            path,
            status: 403,
            body: expect.stringContaining('"code":"forbidden"') as string,
          })
        }
        const origin = `http://${host}`
        expect((await askAs({ host, origin }, { method: 'DELETE', path: '/api/session' })).status).toBe(403)
        expect((await askAs({ host, origin, ...upgrade }, handshake)).status).toBe(400)
      }
    })

    it('accepts every name of this machine, on any port', async () => {
      for (const host of [
        'localhost',
        'localhost:3000',
        'LOCALHOST:8080',
        '127.0.0.1',
        '127.1.2.3:8080',
        '[::1]',
        '[::1]:8080',
      ]) {
        const origin = `http://${host.toLowerCase()}`
        expect([host, (await askAs({ host }, { path: '/healthz' })).status]).toEqual([host, 200])
        expect([
          host,
          (await askAs({ host: host.toLowerCase(), origin }, { method: 'DELETE', path: '/api/session' })).status,
        ]).toEqual([host, 204])
        expect([host, (await askAs({ host: host.toLowerCase(), origin, ...upgrade }, handshake)).status]).toEqual([
          host,
          101,
        ])
      }
    })

    it('refuses an origin that is not http or https', async () => {
      const { host } = new URL(chat.url)
      for (const scheme of ['chrome-extension', 'ftp', 'ws', 'file', 'app']) {
        expect([
          scheme,
          (await askAs({ host, origin: `${scheme}://${host}` }, { method: 'DELETE', path: '/api/session' })).status,
        ]).toEqual([scheme, 403])
      }
    })

    it('logs a warning at the start when it listens to other machines too', async () => {
      const lines: string[] = []
      const open = await startChat(
        { HOST: '0.0.0.0' },
        { log: pino({}, { write: (line: string) => void lines.push(line) }) },
      )
      await open.stop()
      expect(lines.filter((line) => line.includes('PUBLIC_URL'))).toEqual([
        expect.stringMatching(/"level":40.*Set PUBLIC_URL/) as string,
      ])
    })
  })

  it('accepts any host name when PUBLIC_URL is set, because probes and proxies use their own', async () => {
    const { port } = await chat.replica({ PUBLIC_URL: 'https://chat.example.com' })
    const status = await new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: '/healthz', headers: { host: '10.1.2.3:8080' } }, (answer) =>
        resolve(answer.statusCode),
      )
        .on('error', reject)
        .end()
    })
    expect(status).toBe(200)
  })

  it('names the assets of its build in a page without inline code', async () => {
    const { status, body, headers } = await new Person(chat.url).ask<string>('GET', '/rooms/anything')
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-cache')
    expect(body).toMatch(/<script type="module" src="\/assets\/main\.[0-9a-f]+\.js"><\/script>/)
    expect(body).not.toMatch(/<script>|<style|style=|onload=/)
    const [, script = ''] = /src="([^"]+)"/.exec(body) ?? []
    expect((await fetch(chat.url + script)).headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  })

  it('serves its assets and config.json in production as well, for a pod without nginx', async () => {
    const production = await startChat({ ...(await builtInForProduction()), WEB_LOGIN_URL: '/welcome' })
    try {
      const { body } = await new Person(production.url).ask<string>('GET', '/')
      for (const [, asset] of body.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g))
        for (const encoding of ['br', 'gzip']) {
          const { status, headers } = await fetch(production.url + asset, { headers: { 'accept-encoding': encoding } })
          expect([asset, status, headers.get('content-encoding')]).toEqual([asset, 200, encoding])
          expect(headers.get('vary')).toContain('Accept-Encoding')
          expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
        }
      expect(await (await fetch(`${production.url}/assets/config.json`)).json()).toEqual({
        domain: '',
        loginUrl: '/welcome',
      })
    } finally {
      await production.stop()
    }
  })

  it('answers every missing path with the same error', async () => {
    const ann = await newPerson(chat.url)
    for (const [method, path] of [
      ['GET', '/nothing'],
      ['GET', '/api/nothing'],
      ['POST', '/api/nothing'],
      ['GET', '/assets/none.js'],
      ['PUT', '/'],
      ['GET', '/avatars/..%2f..%2fetc%2fpasswd'],
    ] as const) {
      const { status, body } = await ann.ask(method, path)
      expect({ method, path, status, body }).toEqual({
        method,
        path,
        status: 404,
        body: { error: { code: 'not_found', reason: 'nothing_here', message: 'There is nothing here.' } },
      })
    }
  })

  it('shows people who mistyped a URL a page with a link to the rooms', async () => {
    const { status, body } = await new Person(chat.url).ask<string>('GET', '/nothing', undefined, {
      accept: 'text/html,*/*;q=0.8',
    })
    expect([status, body]).toEqual([404, expect.stringContaining('<a href="/">')])
  })

  it('withstands prototype pollution and malformed parameters', async () => {
    const ann = await newPerson(chat.url)
    const room = await ann.openRoom()
    await ann.ask(
      'PATCH',
      '/api/me',
      '{"name":"Ann","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    )
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    for (const query of ['limit=1&limit=2', 'limit[]=1', 'limit[gt]=1', 'before[__proto__]=1']) {
      expect((await ann.ask('GET', `/api/rooms/${room.id}/messages?${query}`)).status, query).toBeLessThan(500)
    }
    expect((await ann.ask('GET', `/api/rooms/${room.id}/messages?limit=1&limit=2`)).status).toBe(400)
  })

  it('does not echo an invalid request id', async () => {
    const { headers } = await new Person(chat.url).ask('GET', '/', undefined, {
      'x-request-id': 'forged {"level":"error"}',
    })
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('survives an aborted request', async () => {
    const { port } = new URL(chat.url)
    await new Promise((resolve) => {
      const half = request({
        port,
        method: 'POST',
        path: '/api/accounts',
        headers: { origin: chat.url, 'content-type': 'application/json', 'content-length': 1000 },
      })
      half.on('error', resolve)
      half.write('{"name":')
      setImmediate(() => half.destroy(new Error('gone')))
    })
    expect((await fetch(`${chat.url}/healthz`)).status).toBe(200)
  })
})

describe('the log of errors', () => {
  let chat: Chat
  let lines: string[] = []
  let printed: MockInstance
  beforeAll(async () => {
    const log = pino({ level: 'debug' }, { write: (line) => lines.push(line) })
    chat = await startChat({ SESSION_REDIS: '' }, { log })
  })
  afterAll(() => chat.stop())
  beforeEach(() => {
    lines = []
    // In production Express prints the errors that no error handler has answered.
    chat.app.express.set('env', 'production')
    printed = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  })
  afterEach(() => printed.mockRestore())

  it('has one line of JSON for an error after the response; response and connection survive', async () => {
    const ann = await newPerson(chat.url)
    const touch = vi.spyOn(PostgresSessionStore.prototype, 'touch').mockImplementation((_id, _session, done) => {
      ;(done as (error: Error) => void)(new Error('no session today'))
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ask = async () => {
      const asked = request(`${chat.url}/api/me`, { agent, headers: { cookie: ann.cookie } }).end()
      const [response] = (await once(asked, 'response')) as [IncomingMessage]
      return { account: await json(response), isSameConnection: asked.reusedSocket }
    }
    expect(await ask()).toEqual({ account: ann.account, isSameConnection: false })
    await eventually(() => expect(lines.filter((line) => line.includes('no session today'))).toHaveLength(1))
    expect(await ask()).toEqual({ account: ann.account, isSameConnection: true })
    const said = lines.find((line) => line.includes('no session today')) ?? ''
    expect(JSON.parse(said)).toMatchObject({ level: 50, msg: 'request failed', reqId: expect.any(String) as string })
    expect(printed).not.toHaveBeenCalled()
    touch.mockRestore()
    agent.destroy()
  })

  it('has a line for an error in the middle of a response, whose connection is closed', async () => {
    const faults: string[] = []
    const half: RequestHandler = (_req, res) => {
      res.write('half an answer')
      throw new Error('no more')
    }
    const server = express()
      .get('/', half)
      .use(answerErrors((_fields, message) => faults.push(message)))
      .listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await expect(fetch(`http://127.0.0.1:${port}`).then((response) => response.text())).rejects.toThrow()
    expect(faults).toEqual(['request failed'])
    server.close()
  })

  it('has at most a hundred lines a minute for the refused requests of one client', async () => {
    for (let index = 0; index < 150; index += 1) await fetch(`${chat.url}/api/nothing`)
    await eventually(() => expect(lines.filter((line) => line.includes('/api/nothing'))).toHaveLength(100))
    expect((await fetch(chat.url + '/assets/config.json')).status).toBe(200)
    await eventually(() => expect(lines.filter((line) => line.includes('/assets/config.json'))).toHaveLength(1))
    // In development these lines have the level debug, so that the output of npm start stays visible.
    expect(lines.filter((line) => line.includes('request completed') && !line.includes('"level":20'))).toEqual([])
  })

  it('has only JSON lines when a session cannot be stored, before the response and with it', async () => {
    const ann = await newPerson(chat.url)
    const set = vi.spyOn(PostgresSessionStore.prototype, 'set').mockImplementation((_id, _session, done) => {
      ;(done as (error: Error) => void)(new Unavailable('The disk is full'))
    })
    expect((await ann.ask('POST', '/api/session', { email: ann.account.email, password })).status).toBe(503)
    await eventually(() => expect(lines.filter((line) => line.includes('The disk is full'))).toHaveLength(2))
    expect(printed).not.toHaveBeenCalled()
    set.mockRestore()
  })
})

describe('the Socket.IO server', () => {
  let chat: Chat
  beforeAll(async () => {
    chat = await startChat()
  })
  afterAll(() => chat.stop())

  it('accepts WebSocket connections only', async () => {
    const ann = await newPerson(chat.url)
    const { status } = await ann.ask('GET', '/socket.io/?EIO=4&transport=polling')
    expect(status).toBe(400)
  })

  it('disconnects only the sender of malformed packets', async () => {
    const [ann, eve] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Eve')])
    const room = await ann.openRoom('private')
    const annSocket = await ann.connect()
    const packets = [
      '',
      '2["message:post"',
      '2{"not":"a list"}',
      '9',
      '5999999999-["message:post",{}]',
      '451-["message:post",{"_placeholder":true,"num":7}]',
      '\u0000\u0001',
      '2[[[[[[',
      '2/admin,["x"]',
      `2[${'['.repeat(5000)}${']'.repeat(5000)}]`,
    ]
    for (const packet of packets) {
      const socket = await eve.connect()
      const gone = new Promise((resolve) => socket.once('disconnect', resolve))
      // The client would never send these packets, so they are written to its engine directly.
      socket.io.engine.write(packet)
      // The server either ignores the packet and answers the next one, or it disconnects.
      const answered = eve.emit(socket, 'typing:start', { roomId: randomUUID() })
      expect(await Promise.race([gone, answered]), JSON.stringify(packet)).toBeTruthy()
      socket.disconnect()
    }
    expect(await ann.post(annSocket, room.id, 'unharmed')).toHaveProperty('data.seq', 1)
    expect((await fetch(`${chat.url}/readyz`)).status).toBe(200)
  })

  it('limits the connections that one account has to one server process', async () => {
    const ann = await newPerson(chat.url)
    for (let n = 0; n < 20; n += 1) await ann.connect()
    await expect(ann.connect()).rejects.toMatchObject({ data: { code: 'rate_limited' } })
    const first = ann.sockets[0]
    first?.disconnect()
    await expect
      .poll(() =>
        ann.connect().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
    ann.leave()
  })
})
