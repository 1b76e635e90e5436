import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtInForProduction, newPerson, Person, startChat, type Chat } from './test/chat.js'

describe('the HTTP surface', () => {
  let chat: Chat
  beforeAll(async () => {
    chat = await startChat()
  })
  afterAll(() => chat.stop())

  it('sends security headers with every answer, errors included, and does not say what it runs on', async () => {
    const ann = await newPerson(chat.url)
    for (const path of ['/', '/api/me', '/api/nothing', '/avatars/nothing', '/assets/nothing.js', '/%E0%A4%A']) {
      const { headers } = await ann.ask('GET', path)
      expect({ path, csp: headers.get('content-security-policy') }).toMatchObject({ path, csp: expect.stringMatching(/^default-src 'none';script-src 'self';style-src 'self';/) as string })
      expect(headers.get('content-security-policy')).not.toContain('unsafe')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-powered-by')).toBeNull()
      expect(headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    }
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
      for (const [, asset] of body.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)) expect((await fetch(production.url + asset)).status).toBe(200)
      expect(await (await fetch(`${production.url}/assets/config.json`)).json()).toEqual({ domain: '', loginUrl: '/welcome' })
    } finally {
      await production.stop()
    }
  })

  it('answers what is not there with an error of the same form', async () => {
    const ann = await newPerson(chat.url)
    for (const [method, path] of [['GET', '/nothing'], ['GET', '/api/nothing'], ['POST', '/api/nothing'], ['GET', '/assets/none.js'], ['PUT', '/'], ['GET', '/avatars/..%2f..%2fetc%2fpasswd']] as const) {
      const { status, body } = await ann.ask(method, path)
      expect({ method, path, status, body }).toEqual({ method, path, status: 404, body: { error: { code: 'not_found', message: 'There is nothing here.' } } })
    }
  })

  it('shows people who mistyped an address a page with a way back', async () => {
    const { status, body } = await new Person(chat.url).ask<string>('GET', '/nothing', undefined, { accept: 'text/html,*/*;q=0.8' })
    expect([status, body]).toEqual([404, expect.stringContaining('<a href="/">')])
  })

  it('is not impressed by attempts on prototypes and parameters', async () => {
    const ann = await newPerson(chat.url)
    const room = await ann.openRoom()
    await ann.ask('PATCH', '/api/me', '{"name":"Ann","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    for (const query of ['limit=1&limit=2', 'limit[]=1', 'limit[gt]=1', 'before[__proto__]=1']) {
      expect((await ann.ask('GET', `/api/rooms/${room.id}/messages?${query}`)).status, query).toBeLessThan(500)
    }
    expect((await ann.ask('GET', `/api/rooms/${room.id}/messages?limit=1&limit=2`)).status).toBe(400)
  })

  it('does not echo a request id that is not one', async () => {
    const { headers } = await new Person(chat.url).ask('GET', '/', undefined, { 'x-request-id': 'forged {"level":"error"}' })
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('survives a request that breaks off', async () => {
    const { port } = new URL(chat.url)
    await new Promise((resolve) => {
      const half = request({ port, method: 'POST', path: '/api/accounts', headers: { origin: chat.url, 'content-type': 'application/json', 'content-length': 1000 } })
      half.on('error', resolve)
      half.write('{"name":')
      setImmediate(() => half.destroy(new Error('gone')))
    })
    expect((await fetch(`${chat.url}/healthz`)).status).toBe(200)
  })
})

describe('the Socket.IO surface', () => {
  let chat: Chat
  beforeAll(async () => {
    chat = await startChat()
  })
  afterAll(() => chat.stop())

  it('speaks WebSocket only', async () => {
    const ann = await newPerson(chat.url)
    const { status } = await ann.ask('GET', '/socket.io/?EIO=4&transport=polling')
    expect(status).toBe(400)
  })

  it('closes on malformed packets, for their sender only', async () => {
    const [ann, eve] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Eve')])
    const room = await ann.openRoom('private')
    const annSocket = await ann.connect()
    const packets = ['', '2["message:post"', '2{"not":"a list"}', '9', '5999999999-["message:post",{}]', '451-["message:post",{"_placeholder":true,"num":7}]', '\u0000\u0001', '2[[[[[[', '2/admin,["x"]', `2[${'['.repeat(5000)}${']'.repeat(5000)}]`]
    for (const packet of packets) {
      const socket = await eve.connect()
      const gone = new Promise((resolve) => socket.once('disconnect', resolve))
      // What the client would never send: straight into the engine below it.
      socket.io.engine.write(packet)
      // It is either ignored or punished; answers prove which.
      const answered = eve.emit(socket, 'typing:start', { roomId: randomUUID() })
      expect(await Promise.race([gone, answered]), JSON.stringify(packet)).toBeTruthy()
      socket.disconnect()
    }
    expect(await ann.post(annSocket, room.id, 'unharmed')).toHaveProperty('data.seq', 1)
    expect((await fetch(`${chat.url}/readyz`)).status).toBe(200)
  })

  it('takes a limited number of sockets of one account', async () => {
    const ann = await newPerson(chat.url)
    for (let n = 0; n < 20; n += 1) await ann.connect()
    await expect(ann.connect()).rejects.toMatchObject({ data: { code: 'rate_limited' } })
    const first = ann.sockets[0]
    first?.disconnect()
    await expect.poll(() => ann.connect().then(() => true, () => false)).toBe(true)
    ann.leave()
  })
})
