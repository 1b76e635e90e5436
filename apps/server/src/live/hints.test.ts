import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { App } from '../app.js'
import type { Page } from '../contract.js'
import { newPerson, nextNews, password, Person, startChat, type Chat, type TestSocket } from '../test/chat.js'
import { eventually } from '../test/eventually.js'
import { startProxy, type Proxy } from '../test/proxy.js'

// Hints go through Redis. Without Redis there is only one replica.
describe.runIf(process.env.TEST_SESSION_REDIS)('two replicas on one Redis', () => {
  let proxy: Proxy
  let chat: Chat
  let other: App
  let ann: Person
  let ben: Person
  let room: { id: string }
  let annSocket: TestSocket
  let benSocket: TestSocket

  beforeAll(async () => {
    const redis = new URL(process.env.TEST_SESSION_REDIS ?? '')
    proxy = await startProxy({ host: redis.hostname, port: Number(redis.port || 6379) })
    redis.host = `127.0.0.1:${proxy.port}`
    chat = await startChat({ SESSION_REDIS: redis.href })
    other = await chat.replica()
    ;[ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
    room = await ann.openRoom('private')
    await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: ben.account.email })
    // Wait for the greeting, so that it cannot arrive during a test.
    await eventually(async () => expect(await ann.history(room.id)).toHaveLength(1))
    annSocket = await ann.connect()
    benSocket = await ben.connect(other.url, { origin: other.url })
  })
  afterAll(async () => {
    await chat.stop()
    await proxy.close()
  })

  /** Posts until a message arrives as a live frame on the other replica, which shows that hints arrive again. */
  async function untilLive() {
    let isLive = false
    const arrived = nextNews(benSocket, 'messages:posted').then(() => (isLive = true))
    while (!isLive) {
      await ann.post(annSocket, room.id, 'is this live?')
      await Promise.race([arrived, new Promise((resolve) => setTimeout(resolve, 200))])
    }
  }

  /** Resolves when the message arrives as the protocol says: in an event, or in the history after `room:head`. */
  function hears(person: Person, socket: TestSocket, text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = (messages: { body: string }[]) => messages.some(({ body }) => body === text) && resolve()
      socket.on('messages:posted', ({ messages }) => take(messages))
      socket.on('room:head', () => void person.history(room.id).then(take, reject))
    })
  }

  it('send a post from one to the other as a live frame', async () => {
    await untilLive()
    const news = nextNews(benSocket, 'messages:posted', ({ messages }) =>
      messages.some(({ body }) => body === 'across'),
    )
    await ann.post(annSocket, room.id, 'across')
    expect((await news).messages[0]?.author.id).toBe(ann.account.id)
  })

  it('send edits, typing and presence', async () => {
    const { seq } = ((await ann.post(annSocket, room.id, 'draft')) as { data: { seq: number } }).data
    const [edited, typing] = [nextNews(benSocket, 'message:edited'), nextNews(benSocket, 'typing:changed')]
    await annSocket.emitWithAck('message:edit', { roomId: room.id, seq, body: 'final' })
    await annSocket.emitWithAck('typing:start', { roomId: room.id })
    expect((await edited).message).toMatchObject({ seq, body: 'final' })
    expect((await typing).account.id).toBe(ann.account.id)
  })

  it.each([
    ['is frozen', async () => proxy.freeze()],
    ['is gone', () => proxy.refuse()],
  ])(
    'deliver own messages live and other messages from PostgreSQL while Redis %s, then live again',
    async (_how, damage) => {
      await untilLive()
      const here = await ann.connect()
      await damage()
      const atAnn = nextNews(here, 'messages:posted', ({ messages }) =>
        messages.some(({ body }) => body === 'in the dark'),
      )
      // Ben’s replica delivers Ben’s message first, without waiting for Ann’s.
      const atBen = hears(ben, benSocket, 'in the dark')
      const reply = await ann.post(annSocket, room.id, 'in the dark')
      expect(reply).toHaveProperty('data.seq')
      expect(await ben.post(benSocket, room.id, 'who is there?')).toHaveProperty('data.seq')
      await atAnn
      await atBen
      // An edit arrives too, after the edit of Ben’s own message.
      const seq = (reply as { data: { seq: number } }).data.seq
      const changedAtBen = nextNews(benSocket, 'message:edited', ({ message }) => message.seq === seq)
      expect(
        await annSocket.emitWithAck('message:edit', { roomId: room.id, seq, body: 'in the light' }),
      ).toHaveProperty('data')
      expect(
        await benSocket.emitWithAck('message:edit', { roomId: room.id, seq: seq + 1, body: 'It is Ann.' }),
      ).toHaveProperty('data')
      expect((await changedAtBen).message.body).toBe('in the light')
      // Existing sessions work over HTTP as well.
      const page = await ben.ask<Page>('GET', `/api/rooms/${room.id}/messages?limit=200`, undefined, {
        origin: other.url,
      })
      expect(page.status).toBe(200)
      expect(page.body.messages.map(({ body }) => body)).toEqual(expect.arrayContaining(['in the light', 'It is Ann.']))
      // A request for a new session gets an error instead of waiting for ever.
      const { status, body } = await new Person(chat.url).ask('POST', '/api/session', {
        email: ann.account.email,
        password,
      })
      expect([status, body]).toMatchObject([503, { error: { code: 'unavailable' } }])
      // Requests without a session still work.
      expect((await new Person(chat.url).ask('GET', '/healthz')).status).toBe(200)
      await proxy.mend()
      await untilLive()
      expect((await ann.ask('GET', '/api/me')).status).toBe(200)
      const numbers = (await ben.history(room.id)).map(({ seq }) => seq)
      expect(numbers).toEqual(numbers.map((_, index) => index + 1))
    },
    120_000,
  )

  it('refuse an ended session, also on a replica that was not told of the end and cannot reach Redis', async () => {
    // A replica with its own connection to Redis: only this connection is cut.
    const redis = new URL(process.env.TEST_SESSION_REDIS ?? '')
    const own = await startProxy({ host: redis.hostname, port: Number(redis.port || 6379) })
    const away = await chat.replica({
      SESSION_REDIS: Object.assign(new URL(chat.redis ?? ''), { host: `127.0.0.1:${own.port}` }).href,
    })
    const [fay, gus] = [await newPerson(chat.url, 'Fay'), await newPerson(chat.url, 'Gus')]
    const origin = { origin: away.url }
    const [faySocket, gusSocket] = [await fay.connect(away.url, origin), await gus.connect(away.url, origin)]
    await own.refuse()
    const me = (person: Person) => fetch(`${away.url}/api/me`, { headers: { cookie: person.cookie } })
    await eventually(async () => expect([(await me(fay)).status, (await me(gus)).status]).toEqual([200, 200]))

    const { cookie } = fay
    const disconnected = new Promise((resolve) => faySocket.once('disconnect', resolve))
    expect((await fay.ask('DELETE', '/api/session')).status).toBe(204)
    fay.cookie = cookie
    expect([(await me(fay)).status, (await me(gus)).status]).toEqual([401, 200])
    await disconnected
    expect(gusSocket.connected).toBe(true)
    await own.mend()
    await eventually(async () => expect([(await me(fay)).status, (await me(gus)).status]).toEqual([401, 200]))
    await own.close()
  })

  it('add a socket to a room when the hint about the membership was lost', async () => {
    await untilLive()
    const eve = await newPerson(chat.url, `Eve ${randomUUID().slice(0, 4)}`)
    let eveSocket: TestSocket | undefined
    // The other replica may notice later that Redis is back.
    while (eveSocket === undefined)
      eveSocket = await eve.connect(other.url, { origin: other.url }).catch(() => undefined)
    await proxy.refuse()
    await chat.database.db.query('insert into memberships (room_id, account_id) values ($1, $2)', [
      room.id,
      eve.account.id,
    ])
    let hasHeard = false
    const heard = nextNews(eveSocket, 'room:head', ({ roomId }) => roomId === room.id).then(() => (hasHeard = true))
    while (!hasHeard) {
      await ann.post(annSocket, room.id, 'has she found the door?')
      await Promise.race([heard, new Promise((resolve) => setTimeout(resolve, 500))])
    }
    await proxy.mend()
  })
})
