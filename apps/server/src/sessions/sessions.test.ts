import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { newPerson, password, Person, startChat, type Chat } from '../test/chat.js'
import { eventually } from '../test/eventually.js'
import { signedIn } from './sessions.js'

describe('a route', () => {
  it('that asks for an account without requireAccount in front of it fails, and answers for nobody', () => {
    expect(() => signedIn({ locals: {} })).toThrow('requireAccount')
  })
})

describe('sessions', () => {
  let chat: Chat
  beforeAll(async () => {
    chat = await startChat()
  })
  afterAll(() => chat.stop())

  const signIn = (person: Person, email: string, secret = password) =>
    person.ask('POST', '/api/session', { email, password: secret })

  it('begin with the right password, from any device', async () => {
    const ann = await newPerson(chat.url)
    const phone = new Person(chat.url)
    const { status, body } = await signIn(phone, ` ${ann.account.email.toUpperCase()} `)
    expect([status, body]).toEqual([201, ann.account])
  })

  it('answer an unknown email address and a wrong password in the same way', async () => {
    const ann = await newPerson(chat.url)
    const wrong = await signIn(new Person(chat.url), ann.account.email, 'not the password')
    const unknown = await signIn(new Person(chat.url), 'nobody@example.com', 'not the password')
    expect([wrong.status, wrong.body]).toEqual([
      401,
      { error: { code: 'unauthenticated', reason: 'wrong_password', message: 'Wrong email or password.' } },
    ])
    expect([unknown.status, unknown.body]).toEqual([wrong.status, wrong.body])
    expect(wrong.headers.get('set-cookie')).toBeNull()
  })

  it('cannot begin for the bot, which has neither email address nor password', async () => {
    for (const email of ['', 'null', 'Greeter'])
      expect((await signIn(new Person(chat.url), email, '')).status).toBe(400)
  })

  it.skipIf(process.env.TEST_SESSION_REDIS)('of the previous release, which have no begunAt, continue', async () => {
    const ann = await newPerson(chat.url)
    await chat.database.db.query(`update sessions set data = data - 'begunAt'`)
    expect((await ann.ask('GET', '/api/me')).status).toBe(200)
    const begun = () =>
      chat.database.db.query(`select from sessions where data ->> 'accountId' = $1 and data ? 'begunAt'`, [
        ann.account.id,
      ])
    await eventually(async () => expect(await begun()).toHaveLength(1))
  })

  it('get a new id at sign-in, so that a planted id is useless', async () => {
    const ann = await newPerson(chat.url)
    const planted = ann.cookie
    await signIn(ann, ann.account.email)
    expect(ann.cookie).not.toBe(planted)
    const attacker = new Person(chat.url)
    attacker.cookie = planted
    expect((await attacker.ask('GET', '/api/me')).status).toBe(401)
  })

  it('use a cookie that scripts and other sites cannot use', async () => {
    const { headers } = await new Person(chat.url).ask('POST', '/api/accounts', {
      name: 'Ann',
      email: 'cookie@example.com',
      password,
    })
    expect(headers.get('set-cookie')).toMatch(/^chat\.sid=[^;]+; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/)
  })

  it('use a __Host- cookie that is Secure when the chat is reached over TLS', async () => {
    const app = await chat.replica({ PUBLIC_URL: 'https://chat.example.com' })
    const response = await fetch(`http://127.0.0.1:${app.port}/api/accounts`, {
      method: 'POST',
      headers: { origin: app.url, 'content-type': 'application/json', 'x-forwarded-proto': 'https' },
      body: JSON.stringify({ name: 'Ann', email: 'tls@example.com', password }),
    })
    expect(response.status).toBe(201)
    expect(response.headers.get('set-cookie')).toMatch(
      /^__Host-chat\.sid=[^;]+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    )
    expect(response.headers.get('strict-transport-security')).toBe('max-age=31536000')
  })

  it('are valid on every replica, whichever of the cookie secrets signed them', async () => {
    const ann = await newPerson(chat.url)
    const rotated = await chat.replica({ COOKIE_SECRET: 'the new secret of today, a secret for tests only' })
    const there = new Person(rotated.url)
    there.cookie = ann.cookie
    expect((await there.ask('GET', '/api/me')).status).toBe(200)
    const stranger = await chat.replica({ COOKIE_SECRET: 'another secret altogether' })
    const elsewhere = new Person(stranger.url)
    elsewhere.cookie = ann.cookie
    expect((await elsewhere.ask('GET', '/api/me')).status).toBe(401)
  })

  it('end at sign-out, with the sockets of that session and no others', async () => {
    const ann = await newPerson(chat.url)
    const phone = new Person(chat.url)
    await signIn(phone, ann.account.email)
    const [laptopSocket, phoneSocket] = [await ann.connect(), await phone.connect()]
    const ended = new Promise((resolve) => laptopSocket.once('disconnect', resolve))
    const cookie = ann.cookie
    expect((await ann.ask('DELETE', '/api/session')).status).toBe(204)
    expect(await ended).toBe('io server disconnect')
    ann.cookie = cookie
    expect((await ann.ask('GET', '/api/me')).status).toBe(401)
    await expect(ann.connect()).rejects.toThrow('unauthenticated')
    // The phone is still connected and is still answered.
    const room = await phone.openRoom()
    expect(await phone.post(phoneSocket, room.id, 'still here')).toHaveProperty('data.seq', 1)
  })

  it('delete their cookie at sign-out', async () => {
    const ann = await newPerson(chat.url)
    const { headers } = await ann.ask('DELETE', '/api/session')
    expect(headers.get('set-cookie')).toBe(
      'chat.sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
    )
  })

  it('end with their sockets when another person signs in or up in the same browser', async () => {
    const ben = await newPerson(chat.url, 'Ben')
    const browser = await newPerson(chat.url)
    for (const next of [
      () => signIn(browser, ben.account.email),
      () => browser.ask('POST', '/api/accounts', { name: 'Eve', email: `eve-${randomUUID()}@example.com`, password }),
    ]) {
      const socket = await browser.connect()
      const ended = new Promise((resolve) => socket.once('disconnect', resolve))
      expect((await next()).status).toBe(201)
      expect(await Promise.race([ended, sleep(10_000, 'still connected')])).toBe('io server disconnect')
    }
  })

  it('end with their sockets at their maximum age, however busy they are', { timeout: 90_000 }, async () => {
    const brief = await chat.replica({ SESSION_TTL: '3000', SESSION_MAX_AGE: '3600' })
    const ann = await newPerson(brief.url)
    const socket = await ann.connect()
    const ended = new Promise((resolve) => socket.once('disconnect', resolve))
    const begun = Date.now()
    onTestFinished(() => void vi.useRealTimers())
    for (const minutes of [20, 40, 59]) {
      vi.setSystemTime(begun + minutes * 60_000)
      expect({ minutes, status: (await ann.ask('GET', '/api/me')).status }).toEqual({ minutes, status: 200 })
    }
    vi.setSystemTime(begun + 61 * 60_000)
    expect((await ann.ask('GET', '/api/me')).status).toBe(401)
    await expect(ann.connect()).rejects.toThrow('unauthenticated')
    expect(await ended).toBe('io server disconnect')
  })

  it('are kept by the browser until their maximum age', async () => {
    const brief = await chat.replica({ SESSION_TTL: '60', SESSION_MAX_AGE: '3600' })
    const { headers } = await new Person(brief.url).ask('POST', '/api/accounts', {
      name: 'Ann',
      email: `ann-${randomUUID()}@example.com`,
      password,
    })
    const [, expires = ''] = /Expires=([^;]+)/.exec(headers.get('set-cookie') ?? '') ?? []
    const seconds = (Date.parse(expires) - Date.parse(headers.get('date') ?? '')) / 1000
    expect(seconds).toBeGreaterThan(3590)
    expect(seconds).toBeLessThanOrEqual(3601)
  })

  it('may be ended twice, or when there is none', async () => {
    const ann = await newPerson(chat.url)
    expect((await ann.ask('DELETE', '/api/session')).status).toBe(204)
    expect((await ann.ask('DELETE', '/api/session')).status).toBe(204)
    expect((await new Person(chat.url).ask('DELETE', '/api/session')).status).toBe(204)
  })

  describe('requests that change something', () => {
    const attempts = (url: string): [string, Record<string, string>][] => [
      ['a foreign origin', { origin: 'https://evil.example.com' }],
      ['the origin null', { origin: 'null' }],
      ['an origin that only ends like ours', { origin: url.replace('http://', 'http://evil.') }],
      ['an origin that only begins like ours', { origin: `${url}.evil.example.com` }],
      ['no origin', { origin: '' }],
    ]

    it('are refused from another origin and change nothing', async () => {
      const ann = await newPerson(chat.url)
      for (const [what, headers] of attempts(chat.url)) {
        const { status, body } = await ann.ask('PATCH', '/api/me', { name: 'Mallory' }, headers)
        expect({ what, status, body }).toMatchObject({ what, status: 403, body: { error: { code: 'forbidden' } } })
      }
      expect((await ann.ask('GET', '/api/me')).body).toEqual(ann.account)
    })

    it('cannot be sent as a form', async () => {
      const ann = await newPerson(chat.url)
      const { status } = await ann.ask('POST', '/api/rooms', 'name=Hijacked&kind=public', {
        'content-type': 'application/x-www-form-urlencoded',
      })
      expect(status).toBe(400)
    })

    it('include the handshake of a socket', async () => {
      const ann = await newPerson(chat.url)
      await ann.connect() // with the right origin it works
      for (const [what, headers] of attempts(chat.url)) {
        await expect(ann.connect(chat.url, headers), what).rejects.toThrow()
      }
    })
  })

  it('are needed for the handshake of a socket', async () => {
    await expect(new Person(chat.url).connect()).rejects.toMatchObject({
      message: 'unauthenticated',
      data: { code: 'unauthenticated', reason: 'signed_out', message: 'Please sign in.' },
    })
  })

  it('limit attempts by account and IP address, and say when to retry', async () => {
    const strict = await chat.replica({ LIMIT_SIGN_IN: '3/600', LIMIT_SIGN_UP: '2/600', TRUSTED_PROXIES: '1' })
    const ann = await newPerson(chat.url)
    const guess = () => signIn(new Person(strict.url), ann.account.email, 'a guess')
    for (let attempt = 1; attempt <= 3; attempt += 1) expect((await guess()).status).toBe(401)
    const refused = await guess()
    expect([refused.status, refused.body]).toEqual([
      429,
      {
        error: {
          code: 'rate_limited',
          reason: 'too_many_attempts',
          message: 'Too many attempts. Please wait a little.',
        },
      },
    ])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    // Another person behind the same IP address is not refused.
    const ben = await newPerson(chat.url, 'Ben')
    expect((await signIn(new Person(strict.url), ben.account.email)).status).toBe(201)
    const statuses = []
    for (const from of ['203.0.113.7', '203.0.113.7', '203.0.113.7', '203.0.113.8']) {
      const newcomer = { name: 'N', email: `n-${randomUUID()}@example.com`, password }
      statuses.push(
        (
          await new Person(strict.url).ask('POST', '/api/accounts', newcomer, {
            'x-forwarded-for': `198.51.100.1, ${from}`,
          })
        ).status,
      )
    }
    expect(statuses).toEqual([201, 201, 429, 201])
  })

  describe('guesses', () => {
    /** Tries a password from an IP address. */
    const tryFrom = (url: string, from: string, email: string, secret = 'a guess') =>
      new Person(url)
        .ask('POST', '/api/session', { email, password: secret }, { 'x-forwarded-for': from })
        .then(({ status }) => status)
    const strict = () => chat.replica({ LIMIT_GUESS: '3/600', TRUSTED_PROXIES: '1' })

    it('are limited per IP address over all accounts, without counting right passwords', async () => {
      const { url } = await strict()
      const ann = await newPerson(chat.url)
      for (let time = 1; time <= 4; time += 1)
        expect(await tryFrom(url, '203.0.113.7', ann.account.email, password)).toBe(201)
      const statuses = []
      for (let n = 1; n <= 5; n += 1)
        statuses.push(await tryFrom(url, '203.0.113.7', `n${n}-${randomUUID()}@example.com`))
      expect(statuses).toEqual([401, 401, 401, 429, 429])
      expect(await tryFrom(url, '203.0.113.8', `elsewhere-${randomUUID()}@example.com`)).toBe(401)
    })

    it('are limited per account over all IP addresses, except where its owner has signed in before', async () => {
      const { url } = await strict()
      const ann = await newPerson(chat.url)
      const ben = new Person(url)
      const email = `ben-${randomUUID()}@example.com`
      expect(await tryFrom(url, '198.51.100.1', ann.account.email, password)).toBe(201)
      expect(
        (
          await ben.ask(
            'POST',
            '/api/accounts',
            { name: 'Ben', email, password },
            { 'x-forwarded-for': '198.51.100.2' },
          )
        ).status,
      ).toBe(201)
      for (const victim of [ann.account.email, email]) {
        const statuses = []
        for (let n = 1; n <= 5; n += 1) statuses.push(await tryFrom(url, `2001:db8:${n}::1`, victim))
        expect(statuses).toEqual([401, 401, 401, 429, 429])
        expect(await tryFrom(url, '198.51.100.3', victim, password)).toBe(429)
      }
      expect(await tryFrom(url, '198.51.100.1', ann.account.email)).toBe(401)
      expect(await tryFrom(url, '198.51.100.1', ann.account.email, password)).toBe(201)
      expect(await tryFrom(url, '198.51.100.2', email, password)).toBe(201)
    })

    it('are limited at the same moment too', async () => {
      const { url } = await strict()
      const statuses = await Promise.all(
        Array.from({ length: 8 }, (_, n) => tryFrom(url, '203.0.113.9', `n${n}-${randomUUID()}@example.com`)),
      )
      expect(statuses.filter((status) => status === 401)).toHaveLength(3)
    })
  })

  it('log wrong passwords and reached limits once per visitor and account, and each new password', async () => {
    const lines: Record<string, unknown>[] = []
    const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) })
    const logged = await startChat({ LIMIT_SIGN_IN: '3/600', LIMIT_SIGN_UP: '1/600', LIMIT_POST: '1/600' }, { log })
    onTestFinished(() => logged.stop())
    const ann = await newPerson(logged.url)
    const accountId = ann.account.id
    const about = (msg: string) =>
      lines
        .filter((line) => line.msg === msg)
        .map(({ limit, accountId, reqId }) => ({ limit, accountId, reqId: typeof reqId }))
    for (let n = 1; n <= 6; n += 1) await signIn(new Person(logged.url), ann.account.email, 'a guess')
    for (let n = 1; n <= 2; n += 1) await signIn(new Person(logged.url), 'nobody@example.com', 'a guess')
    expect(about('wrong password')).toEqual([{ accountId, reqId: 'string' }, { reqId: 'string' }])
    for (let n = 1; n <= 3; n += 1)
      expect(
        (await new Person(logged.url).ask('POST', '/api/accounts', { name: 'N', email: 'n@example.com', password }))
          .status,
      ).toBe(429)
    const [socket, room] = [await ann.connect(), await ann.openRoom()]
    for (let n = 1; n <= 3; n += 1) await ann.post(socket, room.id, 'hello')
    expect(about('limit reached')).toEqual([
      { limit: 'sign-in', reqId: 'string' },
      { limit: 'sign-up', reqId: 'string' },
      { limit: 'post', accountId, reqId: 'undefined' },
    ])
    for (let n = 1; n <= 2; n += 1)
      await ann.ask('PATCH', '/api/me', { password: 'a whole new one', currentPassword: 'a guess' })
    expect((await ann.ask('PATCH', '/api/me', { password: 'a whole new one', currentPassword: password })).status).toBe(
      200,
    )
    expect(about('wrong password').slice(2)).toEqual([{ accountId, reqId: 'string' }])
    expect(about('password changed')).toEqual([{ accountId, reqId: 'string' }])
    expect(JSON.stringify(lines)).not.toMatch(/example\.com|127\.0\.0\.1:?\d* |a guess/)
  })

  it('count visitors by IPv4 address in any notation, or by the /64 of an IPv6 address', async () => {
    const { url } = await chat.replica({ LIMIT_SIGN_UP: '2/600', TRUSTED_PROXIES: '1' })
    const signUpFrom = async (from: string) => {
      const newcomer = { name: 'N', email: `n-${randomUUID()}@example.com`, password }
      return (await new Person(url).ask('POST', '/api/accounts', newcomer, { 'x-forwarded-for': from })).status
    }
    for (const [one, two, three, another] of [
      ['203.0.113.17', '::ffff:203.0.113.17', '::FFFF:cb00:7111', '::ffff:203.0.113.18'],
      ['2001:db8:1:2::1', '2001:DB8:1:2:0:0:0:2', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:3::1'],
    ] as const) {
      expect([
        await signUpFrom(one),
        await signUpFrom(two),
        await signUpFrom(three),
        await signUpFrom(another),
      ]).toEqual([201, 201, 429, 201])
    }
  })

  // Several replicas need Redis. Without it, a replica notices changes only when it reads the database again.
  describe.runIf(process.env.TEST_SESSION_REDIS)('on several replicas', () => {
    it('end at sign-out on one replica with their sockets on another', async () => {
      const other = await chat.replica()
      const ann = await newPerson(chat.url)
      const there = new Person(other.url)
      there.cookie = ann.cookie
      const socket = await there.connect()
      const ended = new Promise((resolve) => socket.once('disconnect', resolve))
      await ann.ask('DELETE', '/api/session')
      expect(await ended).toBe('io server disconnect')
    })

    it('share their limits through Redis', async () => {
      const [one, two] = [
        await chat.replica({ LIMIT_SIGN_IN: '2/600' }),
        await chat.replica({ LIMIT_SIGN_IN: '2/600' }),
      ]
      const email = `shared-${Date.now()}@example.com`
      expect((await signIn(new Person(one.url), email)).status).toBe(401)
      expect((await signIn(new Person(two.url), email)).status).toBe(401)
      expect((await signIn(new Person(one.url), email)).status).toBe(429)
      expect((await signIn(new Person(two.url), email)).status).toBe(429)
    })
  })
})
