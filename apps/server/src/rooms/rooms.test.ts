import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPeople } from '../accounts/person.js'
import type { Member, Room } from '../contract.js'
import { newcomer, newPerson, nextNews, password, startChat, type Chat, type Person } from '../test/chat.js'
import { greeterId } from '../greeter/greet-newcomer.js'
import { createRooms } from './rooms.js'

describe('rooms', () => {
  let chat: Chat
  beforeAll(async () => {
    chat = await startChat()
  })
  afterAll(() => chat.stop())

  const roomsOf = async (person: Person) => (await person.ask<{ rooms: Room[] }>('GET', '/api/rooms')).body.rooms

  it('have their creator as a member, and public rooms are visible to all accounts', async () => {
    const [ann, ben] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Ben')])
    const { status, body } = await ann.ask<Room>('POST', '/api/rooms', { name: 'Open air', kind: 'public' })
    expect(status).toBe(201)
    expect(body).toMatchObject({ name: 'Open air', kind: 'public', joined: true, head: 0, read: 0, unread: 0 })
    expect((await ann.ask('GET', `/api/rooms/${body.id}`)).body).toEqual(body)
    expect((await ben.ask('GET', `/api/rooms/${body.id}`)).body).toEqual({ ...body, joined: false, mine: false })
  })

  it('are sorted by the alphabet, not by bytes', async () => {
    const ann = await newPerson(chat.url)
    const names = ['zebra', 'Änderung', 'Apfel', 'ёлка', 'Ель', 'room 10', 'room 9'].map(
      (name) => `${name} ${randomUUID().slice(0, 4)}`,
    )
    for (const name of names) await ann.openRoom('private', name)
    const order = (await roomsOf(ann)).filter(({ name }) => names.includes(name)).map(({ name }) => name.slice(0, -5))
    expect(order).toEqual(['Änderung', 'Apfel', 'room 9', 'room 10', 'zebra', 'ёлка', 'Ель'])
  })

  it('are listed only for their members', async () => {
    const [ann, ben] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Ben')])
    const room = await ann.openRoom()
    expect(await roomsOf(ann)).toEqual([room])
    expect(await roomsOf(ben)).toEqual([])
  })

  it('are limited in number per account, with a Retry-After header', async () => {
    const strict = await chat.replica({ LIMIT_ROOM: '2/600' })
    const [ann, ben] = await Promise.all([newPerson(strict.url), newPerson(strict.url, 'Ben')])
    const open = (person: Person) => person.ask('POST', '/api/rooms', { name: `Room ${randomUUID()}`, kind: 'public' })
    for (let room = 1; room <= 2; room += 1) expect((await open(ann)).status).toBe(201)
    const refused = await open(ann)
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
    expect(await roomsOf(ann)).toHaveLength(2)
    // The limit affects neither invalid requests nor other accounts.
    expect((await ann.ask('POST', '/api/rooms', { name: '' })).status).toBe(400)
    expect((await open(ben)).status).toBe(201)
  })

  it('cannot have the name of another public room, in upper or lower case', async () => {
    const ann = await newPerson(chat.url)
    await ann.openRoom('public', 'Taken')
    expect((await ann.ask('POST', '/api/rooms', { name: 'TAKEN', kind: 'public' })).status).toBe(409)
    // A private room may have any name.
    expect((await ann.ask('POST', '/api/rooms', { name: 'taken', kind: 'private' })).status).toBe(201)
  })

  it.each([{}, { name: '' }, { name: 'x'.repeat(61) }, { name: 'x', kind: 'secret' }, { name: ['x'] }])(
    'are not opened by %j',
    async (body) => {
      const ann = await newPerson(chat.url)
      const before = (await roomsOf(ann)).length
      const { status, body: answer } = await ann.ask('POST', '/api/rooms', body)
      expect([status, answer]).toMatchObject([
        400,
        {
          error: {
            message: expect.stringMatching(
              /^Please (enter a name( of at most 60 characters)?|choose public or private)\.$/,
            ) as string,
          },
        },
      ])
      expect((await roomsOf(ann)).length).toBe(before)
    },
  )

  it('are joined and left, and a repeated request changes nothing', async () => {
    const [ann, ben] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Ben')])
    const room = await ann.openRoom()
    for (let time = 1; time <= 2; time += 1) {
      const { status, body } = await ben.join(room.id)
      expect([status, body.joined]).toEqual([200, true])
    }
    expect((await roomsOf(ben)).map(({ id }) => id)).toEqual([room.id])
    for (let time = 1; time <= 2; time += 1)
      expect((await ben.ask('DELETE', `/api/rooms/${room.id}/membership`)).status).toBe(204)
    expect(await roomsOf(ben)).toEqual([])
  })

  it('deliver to an open socket of a new member at once', async () => {
    const [ann, ben] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Ben')])
    const room = await ann.openRoom()
    const [annSocket, benSocket] = [await ann.connect(), await ben.connect()]
    await ben.join(room.id)
    const news = nextNews(benSocket, 'messages:posted', ({ messages }) =>
      messages.some(({ body }) => body === 'welcome'),
    )
    await ann.post(annSocket, room.id, 'welcome')
    expect((await news).roomId).toBe(room.id)
  })

  // Without Redis the other replica notices the membership only when it reads the database, every 30 seconds.
  it.runIf(process.env.TEST_SESSION_REDIS)(
    'deliver to an open socket of a new member, also when the socket is on another replica',
    async () => {
      const [ann, ben] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Ben')])
      const room = await ann.openRoom()
      const other = await chat.replica()
      const benSocket = await ben.connect(other.url, { origin: other.url })
      await ben.join(room.id)
      const annSocket = await ann.connect()
      const heard = nextNews(benSocket, 'messages:posted', ({ messages }) =>
        messages.some(({ body }) => body === 'over there'),
      )
      await ann.post(annSocket, room.id, 'over there')
      await heard
    },
  )

  it('deliver nothing more to an account that has left', async () => {
    const [ann, ben, eve] = await Promise.all([
      newPerson(chat.url),
      newPerson(chat.url, 'Ben'),
      newPerson(chat.url, 'Eve'),
    ])
    const room = await ann.openRoom()
    await Promise.all([ben.join(room.id), eve.join(room.id)])
    const [annSocket, benSocket, eveSocket] = [await ann.connect(), await ben.connect(), await eve.connect()]
    const bodies: string[] = []
    eveSocket.on('messages:posted', ({ messages }) => bodies.push(...messages.map(({ body }) => body)))
    const first = nextNews(eveSocket, 'messages:posted', ({ messages }) => messages.some(({ body }) => body === 'one'))
    await ann.post(annSocket, room.id, 'one')
    await first // delivery worked before she left
    await eve.ask('DELETE', `/api/rooms/${room.id}/membership`)
    const second = nextNews(benSocket, 'messages:posted', ({ messages }) => messages.some(({ body }) => body === 'two'))
    await ann.post(annSocket, room.id, 'two')
    await second
    // Events and answers arrive in order: after this answer, an earlier event has arrived.
    await eve.post(eveSocket, room.id, 'knock knock')
    expect(bodies).not.toContain('two')
  })

  it('have names of visible characters', async () => {
    const ann = await newPerson(chat.url)
    const statusOf = async (name: string) => [
      name,
      (await ann.ask('POST', '/api/rooms', { name, kind: 'private' })).status,
    ]
    for (const name of ['\u3164', '\u200b\u200d', 'Room\u202e1', 'Two\u2028lines', '\u2800'])
      expect(await statusOf(name)).toEqual([name, 400])
    for (const name of ['example.com', '🔑', 'Комната №1', '…']) expect(await statusOf(name)).toEqual([name, 201])
  })

  describe('that are private', () => {
    it('give an account that is not a member the same errors as missing rooms', async () => {
      const [ann, eve] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Eve')])
      const room = await ann.openRoom('private')
      await ann.post(await ann.connect(), room.id, 'between us')
      const socket = await eve.connect()
      const inquiries = async (id: string) => {
        const answers: unknown[] = []
        for (const [method, path, body] of [
          ['GET', ''],
          ['PUT', '/membership'],
          ['DELETE', '/membership'],
          ['GET', '/members'],
          ['PUT', '/members', { email: eve.account.email }],
          ['GET', '/messages'],
        ] as const) {
          const answer = await eve.ask(method, `/api/rooms/${id}${path}`, body)
          answers.push({ status: answer.status, body: answer.body })
        }
        return answers
      }
      const events = (id: string) =>
        Promise.all<unknown>([
          eve.post(socket, id, 'hello?'),
          socket.emitWithAck('room:read', { roomId: id, seq: 1 }),
          socket.emitWithAck('message:edit', { roomId: id, seq: 1, body: 'x' }),
          socket.emitWithAck('message:delete', { roomId: id, seq: 1 }),
          socket.emitWithAck('typing:start', { roomId: id }),
        ])
      const [closed, missing] = [await inquiries(room.id), await inquiries(randomUUID())]
      expect(closed).toEqual(missing)
      for (const answer of closed) expect(answer).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
      const [closedEvents, missingEvents] = [await events(room.id), await events(randomUUID())]
      expect(closedEvents).toEqual(missingEvents)
      for (const answer of closedEvents)
        expect(answer).toEqual({ error: { code: 'not_found', reason: 'no_such_room', message: 'No such room.' } })
      expect((await roomsOf(eve)).map(({ id }) => id)).not.toContain(room.id)
      expect((await ann.history(room.id)).map(({ body }) => body)).toEqual(['between us'])
    })

    it('are joined by invitation of a member', async () => {
      const [ann, ben] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Ben')])
      const room = await ann.openRoom('private')
      expect((await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: ben.account.email })).status).toBe(204)
      expect((await roomsOf(ben)).find(({ id }) => id === room.id)).toMatchObject({ joined: true })
      expect((await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: 'nobody@example.com' })).status).toBe(404)
    })

    it('limit the invitations of an account, because each shows whether an address has an account', async () => {
      const { url } = await chat.replica({ LIMIT_INVITE: '3/600' })
      const [ann, ben] = await Promise.all([newPerson(url), newPerson(url, 'Ben')])
      const room = await ann.openRoom('private')
      const invite = async (person: Person, email: string) =>
        (await person.ask('PUT', `/api/rooms/${room.id}/members`, { email })).status
      expect(await invite(ann, ben.account.email)).toBe(204)
      expect([
        await invite(ann, 'one@example.com'),
        await invite(ann, 'two@example.com'),
        await invite(ann, 'three@example.com'),
      ]).toEqual([404, 404, 429])
      expect(await invite(ben, 'four@example.com')).toBe(404)
    })
  })

  it('that are public can be read by all accounts; only members can post and see the members', async () => {
    const [ann, eve] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Eve')])
    const room = await ann.openRoom()
    const socket = await eve.connect()
    await ann.post(await ann.connect(), room.id, 'for everybody')
    expect((await eve.ask('GET', `/api/rooms/${room.id}/messages`)).body).toMatchObject({
      messages: [{ seq: 1, body: 'for everybody' }],
      head: 1,
    })
    expect((await eve.ask('GET', `/api/rooms/${room.id}/members`)).status).toBe(403)
    const refused = { error: { code: 'forbidden', reason: 'not_a_member', message: 'Join the room first.' } }
    expect(await eve.post(socket, room.id, 'hello?')).toEqual(refused)
    expect(await socket.emitWithAck('room:read', { roomId: room.id, seq: 0 })).toEqual(refused)
    expect(await socket.emitWithAck('typing:start', { roomId: room.id })).toEqual(refused)
  })

  it('notify each member as the member wants', async () => {
    const [ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
    const room = await ann.openRoom('private')
    const notify = (person: Person, level: string) =>
      person.ask<Room>('PATCH', `/api/rooms/${room.id}/membership`, { notify: level })
    expect(room.notify).toBe('mentions')
    const { body } = await notify(ann, 'nothing')
    expect(body).toEqual({ ...room, notify: 'nothing' })
    expect((await ann.ask<Room>('GET', `/api/rooms/${room.id}`)).body).toEqual(body)
    expect((await notify(ann, 'loudly')).body).toMatchObject({ error: { reason: 'malformed' } })
    expect((await notify(ben, 'all')).body).toMatchObject({ error: { reason: 'no_such_room' } })
  })

  it('that do not exist cause a clear error', async () => {
    const ann = await newPerson(chat.url)
    expect((await ann.ask('GET', '/api/rooms/general/messages')).body).toEqual({
      error: { code: 'invalid', reason: 'malformed', message: 'The field id is missing or malformed.', field: 'id' },
    })
    expect((await ann.join(randomUUID())).status).toBe(404)
  })

  describe('count unread messages', () => {
    it('and mark nothing as read when the account joins during the request', async () => {
      const ann = await newPerson(chat.url)
      const { id } = await ann.openRoom()
      const { db } = chat.database
      await db.query('update rooms set head = 3 where id = $1', [id])
      const rooms = createRooms({
        db: {
          ...db,
          query: (sql, parameters) => (sql.startsWith('update') ? Promise.resolve([]) : db.query(sql, parameters)),
        },
        news: { send: () => undefined },
        toPerson: createPeople({ cdnPrefix: null }).toPerson,
      })
      expect(await rooms.read(ann.account.id, id, 2)).toBe(0)
    })

    it('from when a member joined, and only after the read mark', async () => {
      const [ann, ben] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Ben')])
      const room = await ann.openRoom()
      const [annSocket, benSocket] = [await ann.connect(), await ben.connect()]
      await ann.post(annSocket, room.id, 'before')
      await ben.join(room.id)
      const mine = async () => (await roomsOf(ben)).find(({ id }) => id === room.id)
      const before = await mine()
      const upTo = (await ann.history(room.id)).length
      for (const body of ['one', 'two', 'three']) await ann.post(annSocket, room.id, body)
      const after = await mine()
      expect((after?.unread ?? 0) - (before?.unread ?? 0)).toBeGreaterThanOrEqual(3)
      const head = (await ann.history(room.id)).length
      expect(head).toBeGreaterThanOrEqual(upTo + 3)
      expect(await benSocket.emitWithAck('room:read', { roomId: room.id, seq: head - 1 })).toEqual({
        data: { read: head - 1 },
      })
      // The mark moves neither back nor past the newest message.
      expect(await benSocket.emitWithAck('room:read', { roomId: room.id, seq: 1 })).toEqual({
        data: { read: head - 1 },
      })
      const last = (await benSocket.emitWithAck('room:read', { roomId: room.id, seq: 1_000_000 })) as {
        data: { read: number }
      }
      expect(last.data.read).toBeLessThan(1_000_000)
      expect((await mine())?.unread).toBe(0)
    })

    it('again after they were marked as unread, and never more than there are', async () => {
      const [ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
      const room = await ann.openRoom('private')
      await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: ben.account.email })
      const [annSocket, benSocket] = [await ann.connect(), await ben.connect()]
      for (const text of ['one', 'two', 'three']) await ann.post(annSocket, room.id, text)
      const { head } = (await ben.ask<Room>('GET', `/api/rooms/${room.id}`)).body
      const unread = async () => (await ben.ask<Room>('GET', `/api/rooms/${room.id}`)).body.unread
      await benSocket.emitWithAck('room:read', { roomId: room.id, seq: head })
      expect(await unread()).toBe(0)
      const from = (seq: number) => benSocket.emitWithAck('room:unread', { roomId: room.id, seq })
      expect(await from(head - 1)).toEqual({ data: { read: head - 2 } })
      expect(await unread()).toBe(2)
      expect(await from(head)).toEqual({ data: { read: head - 2 } })
      const eve = await newPerson(chat.url, 'Eve')
      expect(await (await eve.connect()).emitWithAck('room:unread', { roomId: room.id, seq: 1 })).toHaveProperty(
        'error.reason',
        'no_such_room',
      )
    })

    it('without those of the greeter', async () => {
      const [ann, ben] = await Promise.all([newPerson(chat.url), newPerson(chat.url, 'Ben')])
      const room = await ann.openRoom()
      const mine = async () => (await roomsOf(ann)).find(({ id }) => id === room.id)
      await chat.database.db.query(
        `with m as (insert into memberships (room_id, account_id) values ($1, $2)) update rooms set head = 2 where id = $1`,
        [room.id, greeterId],
      )
      await chat.database.db.query(
        `insert into messages (room_id, seq, id, author_id, body) select $1, n, gen_random_uuid(), $2, 'Welcome!' from generate_series(1, 2) n`,
        [room.id, greeterId],
      )
      expect(await mine()).toMatchObject({ head: 2, read: 0, unread: 0 })
      await ben.join(room.id)
      await ben.post(await ben.connect(), room.id, 'hello')
      expect((await mine())?.unread).toBe(1)
      expect((await ann.history(room.id))[0]?.author).toEqual({
        id: greeterId,
        name: 'Greeter',
        avatarUrl: null,
        bot: true,
      })
    })

    it('without the member’s own', async () => {
      const ann = await newPerson(chat.url)
      const room = await ann.openRoom('private')
      await ann.post(await ann.connect(), room.id, 'note to self')
      expect((await roomsOf(ann)).find(({ id }) => id === room.id)).toMatchObject({ head: 1, read: 1, unread: 0 })
    })
  })

  it('include a first room for each new account, which can leave it for good', async () => {
    const ann = await newcomer(chat.url)
    const [room, ...others] = await roomsOf(ann)
    expect([room, others]).toMatchObject([{ name: 'General', kind: 'public', joined: true, unread: 0 }, []])
    await ann.post(await ann.connect(), room?.id ?? '', 'first')
    const ben = await newcomer(chat.url, 'Ben')
    expect(await roomsOf(ben)).toEqual([expect.objectContaining({ id: room?.id, read: 1, unread: 0 })])
    expect((await ben.history(room?.id ?? '')).map(({ body }) => body)).toEqual(['first'])
    // No event: the greeter does not greet new accounts in this room.
    expect(await chat.database.db.query(`select from outbox where payload->>'roomId' = $1`, [room?.id])).toEqual([])
    await ben.ask('DELETE', `/api/rooms/${room?.id}/membership`)
    await ben.ask('POST', '/api/session', { email: ben.account.email, password })
    expect(await roomsOf(ben)).toEqual([])
  })

  it('list their members, and who of them is online', async () => {
    const [ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
    const room = await ann.openRoom('private')
    await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: ben.account.email })
    const annSocket = await ann.connect()
    const members = async () =>
      (await ann.ask<{ members: Member[] }>('GET', `/api/rooms/${room.id}/members`)).body.members
    const arrival = nextNews(annSocket, 'presence:changed', ({ accountId }) => accountId === ben.account.id)
    const benSocket = await ben.connect()
    expect(await arrival).toEqual({ accountId: ben.account.id, online: true })
    expect((await members()).find(({ id }) => id === ben.account.id)).toEqual({
      id: ben.account.id,
      name: 'Ben',
      avatarUrl: null,
      online: true,
    })
    const departure = nextNews(
      annSocket,
      'presence:changed',
      ({ accountId, online }) => accountId === ben.account.id && !online,
    )
    benSocket.disconnect()
    await departure
    expect((await members()).find(({ id }) => id === ben.account.id)?.online).toBe(false)
  })

  it('tell their members that a member is typing', async () => {
    const [ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
    const room = await ann.openRoom()
    await ben.join(room.id)
    const [annSocket, benSocket] = [await ann.connect(), await ben.connect()]
    const news = nextNews(benSocket, 'typing:changed')
    expect(await annSocket.emitWithAck('typing:start', { roomId: room.id })).toEqual({ data: {} })
    expect(await news).toEqual({
      roomId: room.id,
      account: { id: ann.account.id, name: 'Ann', avatarUrl: null },
      expiresInMs: 5000,
    })
  })
})
