import { scryptSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Account, ErrorBody } from '../contract.js'
import { newPerson, nextNews, password, Person, startChat, type Chat } from '../test/chat.js'

describe('accounts', () => {
  let chat: Chat
  beforeAll(async () => {
    chat = await startChat()
  })
  afterAll(() => chat.stop())

  const signUp = (body: unknown) => new Person(chat.url).ask<{ error?: ErrorBody }>('POST', '/api/accounts', body)
  const accountsThere = async () =>
    (await chat.database.db.query<{ count: number }>('select count(*) from accounts'))[0]?.count

  describe('signing up', () => {
    it('creates an account and signs it in', async () => {
      const ann = new Person(chat.url)
      const { status, body } = await ann.ask<Account>('POST', '/api/accounts', {
        name: ' Ann  ',
        email: 'Ann@Example.com',
        password,
      })
      expect(status).toBe(201)
      expect(body).toEqual({
        id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        name: 'Ann',
        email: 'ann@example.com',
        avatarUrl: null,
      })
      expect((await ann.ask('GET', '/api/me')).body).toEqual(body)
    })

    it('is refused for an email address that has an account, in upper or lower case', async () => {
      await newPerson(chat.url)
        .then(({ account }) => signUp({ name: 'Other', email: account.email.toUpperCase(), password }))
        .then(({ status, body }) => {
          expect(status).toBe(409)
          expect(body.error).toMatchObject({ code: 'conflict', reason: 'email_taken', field: 'email' })
        })
    })

    it('gives an email address to only one of two simultaneous requests', async () => {
      const both = await Promise.all([1, 2].map(() => signUp({ name: 'Twin', email: 'twin@example.com', password })))
      expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
    })

    it.each([
      ['no body', undefined, 'The request could not be read.', 'malformed', undefined],
      ['a list', [], 'The request could not be read.', 'malformed', undefined],
      ['no name', { email: 'x@example.com', password }, 'Please enter a name.', 'malformed', 'name'],
      [
        'a name of the wrong type',
        { name: { $gt: '' }, email: 'x@example.com', password },
        'name',
        'malformed',
        'name',
      ],
      ['an empty name', { name: '  ', email: 'x@example.com', password }, 'Please enter a name.', 'empty', 'name'],
      ['a name of two lines', { name: 'a\nb', email: 'x@example.com', password }, 'name', 'hidden_characters', 'name'],
      [
        'a name with a NUL',
        { name: 'a\u0000b', email: 'x@example.com', password },
        'name',
        'hidden_characters',
        'name',
      ],
      [
        'a name with a lone surrogate',
        { name: 'a\ud800', email: 'x@example.com', password },
        'name',
        'hidden_characters',
        'name',
      ],
      [
        'a name that contains a URL',
        { name: 'URGENT http://evil.example/login', email: 'x@example.com', password },
        'name',
        'name_is_link',
        'name',
      ],
      [
        'a name that is a host name',
        { name: 'evil.example', email: 'x@example.com', password },
        'name',
        'name_is_link',
        'name',
      ],
      [
        'a name written from right to left',
        { name: 'Ann\u202egpj.exe', email: 'x@example.com', password },
        'name',
        'hidden_characters',
        'name',
      ],
      ['an invisible name', { name: '\u3164\u200d', email: 'x@example.com', password }, 'name', 'empty', 'name'],
      ['a very long name', { name: 'x'.repeat(61), email: 'x@example.com', password }, 'name', 'too_long', 'name'],
      ['an invalid email address', { name: 'X', email: 'x', password }, 'email', 'malformed', 'email'],
      [
        'an email address with a line break',
        { name: 'X', email: 'x@example.com\r\nBcc: y@example.com', password },
        'email',
        'malformed',
        'email',
      ],
      [
        'a short password',
        { name: 'X', email: 'x@example.com', password: 'short' },
        '10 characters',
        'too_short',
        'password',
      ],
      [
        'a common password',
        { name: 'X', email: 'x@example.com', password: 'Password123' },
        'first that anybody would try',
        'password_is_guessable',
        'password',
      ],
      [
        'a password of one repeated letter',
        { name: 'X', email: 'x@example.com', password: 'aaaaaaaaaaaaaaa' },
        'first that anybody would try',
        'password_is_guessable',
        'password',
      ],
      [
        'the email address as password',
        { name: 'X', email: 'somebody@example.com', password: 'somebody@example.com' },
        'your name or email',
        'password_is_personal',
        'password',
      ],
      [
        'a password that is too long',
        { name: 'X', email: 'x@example.com', password: 'abcdef'.repeat(100) },
        'at most 200',
        'too_long',
        'password',
      ],
    ])('is refused with %s, and changes nothing', async (_what, body, message, reason, field) => {
      const before = await accountsThere()
      const answer = await signUp(body)
      expect(answer.status).toBe(400)
      expect(answer.body.error).toEqual({
        code: 'invalid',
        reason,
        message: expect.stringContaining(message) as string,
        field,
      })
      // The message is a sentence for people, and not `field: problem`.
      expect(answer.body.error?.message).toMatch(/^[A-Z][^:]*\.$/)
      expect(await accountsThere()).toBe(before)
    })

    it('is refused with a body that is not JSON, or larger than 64 KB', async () => {
      const ann = new Person(chat.url)
      const broken = await ann.ask('POST', '/api/accounts', '{"name": ')
      expect([broken.status, broken.body]).toEqual([
        400,
        { error: { code: 'invalid', reason: 'malformed', message: 'The request could not be read.' } },
      ])
      const large = await ann.ask('POST', '/api/accounts', {
        name: 'x'.repeat(70_000),
        email: 'x@example.com',
        password,
      })
      expect([large.status, large.body]).toEqual([
        413,
        { error: { code: 'too_large', reason: 'body_too_large', message: 'This is too large.' } },
      ])
    })
  })

  describe('passwords', () => {
    it('are stored as scrypt hashes with their parameters and their own salt', async () => {
      const people = await Promise.all([newPerson(chat.url), newPerson(chat.url)])
      const rows = await chat.database.db.query<{ hash: string }>(
        'select password_hash as hash from accounts where id = any($1::uuid[])',
        [people.map(({ account }) => account.id)],
      )
      const [first = '', second = ''] = rows.map(({ hash }) => hash)
      expect(first).toMatch(/^scrypt\$16384\$8\$5\$[\w-]{22}\$[\w-]{43}$/)
      expect(first).not.toBe(second)
    })

    it('that were hashed with older parameters still work, and are hashed again at the next sign-in', async () => {
      const ann = await newPerson(chat.url)
      const salt = Buffer.from('an old salt here')
      const key = scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 })
      const old = `scrypt$1024$8$1$${salt.toString('base64url')}$${key.toString('base64url')}`
      await chat.database.db.query('update accounts set password_hash = $2 where id = $1', [ann.account.id, old])
      expect(
        (await new Person(chat.url).ask('POST', '/api/session', { email: ann.account.email, password })).status,
      ).toBe(201)
      const [row] = await chat.database.db.query<{ hash: string }>(
        'select password_hash as hash from accounts where id = $1',
        [ann.account.id],
      )
      expect(row?.hash).toMatch(/^scrypt\$16384\$/)
    })

    it('may be long and in any script', async () => {
      const ann = new Person(chat.url)
      const long = 'пароль 🔑 '.repeat(18)
      const email = 'long@example.com'
      expect((await ann.ask('POST', '/api/accounts', { name: 'Ann', email, password: long })).status).toBe(201)
      expect((await ann.ask('POST', '/api/session', { email, password: long })).status).toBe(201)
      expect((await ann.ask('POST', '/api/session', { email, password: long.slice(0, -2) })).status).toBe(401)
    })
  })

  describe('the profile', () => {
    it('can be given another name', async () => {
      const ann = await newPerson(chat.url)
      const { status, body } = await ann.ask<Account>('PATCH', '/api/me', { name: 'Анна' })
      expect([status, body.name]).toEqual([200, 'Анна'])
    })

    it('accepts the names of people, and refuses names that a mail program would turn into a link', async () => {
      const ann = await newPerson(chat.url)
      const statusOf = async (name: string) => [name, (await ann.ask('PATCH', '/api/me', { name })).status]
      const names = [
        'J.R. Smith',
        "O'Neil",
        'Jean-Luc',
        'Anna (QA)',
        'Dr. No',
        'Иван',
        '李',
        'А.С. Пушкин',
        'А.С.Пушкин',
        'J.R.R.Tolkien',
        'Ann 2.0',
        'M.Sc. Ann',
        'می‌خواهم',
        '👩‍💻 Ann',
        'Ann & Ben',
        'Ann/Ben',
        'Team: QA',
        'Ph.D. Ann',
        '@ann',
        'No. 5',
      ]
      for (const name of names) expect(await statusOf(name)).toEqual([name, 200])
      const links = [
        'http://x',
        'HTTPS://x',
        'www.x.y',
        'www.evil',
        'evil.example/login',
        'evil.example',
        'See evil.example now',
        'x.com',
        't.co/abc',
        'a.b.example',
        'evil\u3002example',
        'evil\uff0eexample',
        'пример.рф',
        'xn--e1afmkfd.xn--p1ai',
        'ann@evil.example',
        '10.0.0.1',
        'ftp://1',
        'evil\u200d.example',
        'EVIL.COM',
        'X.COM',
      ]
      for (const name of links) expect(await statusOf(name)).toEqual([name, 400])
    })

    it('gets a new password only with the current one', async () => {
      const ann = await newPerson(chat.url)
      const wrong = await ann.ask('PATCH', '/api/me', { password: 'a whole new one', currentPassword: 'a wrong one' })
      expect(wrong.body).toMatchObject({ error: { reason: 'wrong_current_password', field: 'currentPassword' } })
      expect(wrong.status).toBe(403)
      expect(
        (await ann.ask('PATCH', '/api/me', { password: 'a whole new one', currentPassword: password })).status,
      ).toBe(200)
      expect((await ann.ask('POST', '/api/session', { email: ann.account.email, password })).status).toBe(401)
      expect(
        (await ann.ask('POST', '/api/session', { email: ann.account.email, password: 'a whole new one' })).status,
      ).toBe(201)
    })

    it('limits guesses of the current password, while the owner can change it from another session', async () => {
      const { url } = await chat.replica({ LIMIT_SIGN_IN: '3/600' })
      const ann = await newPerson(url)
      const owner = new Person(url)
      expect((await owner.ask('POST', '/api/session', { email: ann.account.email, password })).status).toBe(201)
      const change = (person: Person, currentPassword: string) =>
        person.ask('PATCH', '/api/me', { password: 'a whole new one', currentPassword })
      const statuses = []
      for (let guess = 1; guess <= 4; guess += 1) statuses.push((await change(ann, `guess ${guess}`)).status)
      expect(statuses).toEqual([403, 403, 403, 429])
      expect((await change(ann, password)).status).toBe(429)
      expect((await ann.ask('PATCH', '/api/me', { name: 'Anna' })).status).toBe(200)
      expect((await change(owner, password)).status).toBe(200)
    })

    it('keeps this session after a new password, and ends all others with their sockets', async () => {
      const here = await newPerson(chat.url)
      const there = new Person(chat.url)
      await there.ask('POST', '/api/session', { email: here.account.email, password })
      const socket = await there.connect()
      const closed = new Promise((resolve) => socket.once('disconnect', resolve))
      expect(
        (await here.ask('PATCH', '/api/me', { password: 'a whole new one', currentPassword: password })).status,
      ).toBe(200)
      expect(await closed).toBe('io server disconnect')
      expect((await there.ask('GET', '/api/me')).status).toBe(401)
      expect((await here.ask('GET', '/api/me')).status).toBe(200)
    })

    it('is not changed by an empty or malformed request', async () => {
      const ann = await newPerson(chat.url)
      for (const body of [{}, { name: 7 }, { name: '' }, { password: 'short', currentPassword: password }]) {
        expect((await ann.ask('PATCH', '/api/me', body)).status).toBe(400)
      }
      expect((await ann.ask('GET', '/api/me')).body).toEqual(ann.account)
    })

    it('does not show the email address to other people', async () => {
      const [ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
      const room = await ann.openRoom()
      await ben.join(room.id)
      const socket = await ben.connect()
      const news = nextNews(socket, 'messages:posted', ({ messages }) =>
        messages.some(({ author }) => author.id === ann.account.id),
      )
      await ann.post(await ann.connect(), room.id, 'hello')
      const members = await ben.ask('GET', `/api/rooms/${room.id}/members`)
      expect(JSON.stringify([await news, members.body])).not.toContain(ann.account.email)
    })
  })

  it('need a session: every request without one is answered with 401', async () => {
    const stranger = new Person(chat.url)
    const room = await (await newPerson(chat.url)).openRoom()
    for (const [method, path] of [
      ['GET', '/api/me'],
      ['PATCH', '/api/me'],
      ['PUT', '/api/me/avatar'],
      ['GET', '/api/rooms'],
      ['POST', '/api/rooms'],
      ['GET', '/api/rooms/public'],
      ['GET', `/api/rooms/${room.id}`],
      ['PUT', `/api/rooms/${room.id}/membership`],
      ['DELETE', `/api/rooms/${room.id}/membership`],
      ['GET', `/api/rooms/${room.id}/members`],
      ['PUT', `/api/rooms/${room.id}/members`],
      ['GET', `/api/rooms/${room.id}/messages`],
    ] as const) {
      const { status, body } = await stranger.ask(method, path)
      expect({ method, path, status, body }).toEqual({
        method,
        path,
        status: 401,
        body: { error: { code: 'unauthenticated', reason: 'signed_out', message: 'Please sign in.' } },
      })
    }
  })
})
