import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits, unpackPosted, type Message, type Page, type Posted, type Room } from '../contract.js'
import { newPerson, nextNews, startChat, type Chat, type Person, type TestSocket } from '../test/chat.js'

describe('messages', () => {
  let chat: Chat
  let ann: Person
  let ben: Person
  let annSocket: TestSocket
  let benSocket: TestSocket
  beforeAll(async () => {
    chat = await startChat()
    ;[ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
    ;[annSocket, benSocket] = [await ann.connect(), await ben.connect()]
  })
  afterAll(() => chat.stop())

  /** A private room with both as members. It causes no event, so the greeter posts nothing in it. */
  async function roomForTwo() {
    const room = await ann.openRoom('private')
    await chat.database.db.query('insert into memberships (room_id, account_id) values ($1, $2)', [
      room.id,
      ben.account.id,
    ])
    benSocket.disconnect()
    benSocket = await ben.connect()
    return room
  }

  describe('posting', () => {
    it('delivers the message, with its number, to all members, including the author', async () => {
      const room = await roomForTwo()
      const [atAnn, atBen] = [nextNews(annSocket, 'messages:posted'), nextNews(benSocket, 'messages:posted')]
      const id = randomUUID()
      const reply = await ann.post(annSocket, room.id, 'hello', { id })
      expect(reply).toEqual({
        data: { seq: 1, id, postedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string },
      })
      const { postedAt } = (reply as { data: Posted }).data
      const message: Message = {
        seq: 1,
        id,
        author: { id: ann.account.id, name: 'Ann', avatarUrl: null },
        body: 'hello',
        postedAt,
        replyTo: null,
        editedAt: null,
        deleted: false,
        mentions: [],
        reactions: [],
        version: 0,
      }
      expect(await atBen).toEqual({ roomId: room.id, messages: [message] })
      expect(await atAnn).toEqual(await atBen)
      expect(await ben.history(room.id)).toEqual([message])
    })

    it('does not change the text', async () => {
      const room = await roomForTwo()
      const bodies = [
        '  indented\n\tcode\r\n',
        '<script>alert(1)</script>',
        "'; drop table messages; --",
        '👩‍👩‍👧 ёж \u202e?',
        '{{ .Values }}',
        'x'.repeat(4000),
        '🙂'.repeat(4000),
      ]
      for (const body of bodies) expect(await ann.post(annSocket, room.id, body)).toHaveProperty('data')
      expect((await ben.history(room.id)).map(({ body }) => body)).toEqual(bodies)
    })

    it('stores a message once when the client sends it twice, with the same answer', async () => {
      const room = await roomForTwo()
      const id = randomUUID()
      const first = await ann.post(annSocket, room.id, 'once', { id })
      expect(await ann.post(annSocket, room.id, 'once', { id: id.toUpperCase() })).toEqual(first)
      expect(await ann.post(annSocket, room.id, 'another text', { id })).toEqual(first)
      await ann.post(annSocket, room.id, 'next')
      expect((await ben.history(room.id)).map(({ seq, body }) => [seq, body])).toEqual([
        [1, 'once'],
        [2, 'next'],
      ])
    })

    it('stores a message once when two replicas receive it many times at once', async () => {
      const room = await roomForTwo()
      const other = await chat.replica()
      const there = await ann.connect(other.url, { origin: other.url })
      const ids = Array.from({ length: 10 }, () => randomUUID())
      const sendings = ids.flatMap((id) =>
        [annSocket, there, annSocket, there].map((socket) => ann.post(socket, room.id, id, { id })),
      )
      const replies = (await Promise.all(sendings)) as { data: Posted }[]
      const history = await ben.history(room.id)
      expect(history.map(({ seq }) => seq)).toEqual(ids.map((_, index) => index + 1))
      expect(history.map(({ id }) => id).sort()).toEqual([...ids].sort())
      for (const { data } of replies)
        expect(history[data.seq - 1]).toMatchObject({ id: data.id, postedAt: data.postedAt })
    })

    it('numbers messages without gaps, in one order for all members, also when some are refused', async () => {
      const room = await roomForTwo()
      const heard = { ann: [] as number[], ben: [] as number[] }
      annSocket.on(
        'messages:posted',
        ({ roomId, messages }) => roomId === room.id && heard.ann.push(...messages.map(({ seq }) => seq)),
      )
      benSocket.on(
        'messages:posted',
        ({ roomId, messages }) => roomId === room.id && heard.ben.push(...messages.map(({ seq }) => seq)),
      )
      const duplicate = randomUUID()
      const replies = await Promise.all(
        Array.from({ length: 60 }, (_, n) => {
          const [person, socket] = n % 2 === 0 ? [ann, annSocket] : [ben, benSocket]
          if (n % 10 === 0) return ann.post(annSocket, room.id, 'again', { id: duplicate })
          if (n % 10 === 5) return person.post(socket, room.id, 'to nothing', { replyTo: 10_000 })
          return person.post(socket, room.id, `message ${n}`)
        }),
      )
      const stored = new Set(replies.flatMap((reply) => ('data' in reply ? [reply.data.seq] : [])))
      expect([...stored].sort((a, b) => a - b)).toEqual(Array.from({ length: 49 }, (_, n) => n + 1))
      const last = [annSocket, benSocket].map((socket) =>
        nextNews(socket, 'messages:posted', ({ messages }) => messages.some(({ seq }) => seq === 50)),
      )
      await ann.post(annSocket, room.id, 'the end')
      await Promise.all(last)
      expect(heard.ann).toEqual(Array.from({ length: 50 }, (_, n) => n + 1))
      expect(heard.ben).toEqual(heard.ann)
    })

    it('acknowledges a message after its commit', async () => {
      const room = await roomForTwo()
      const reply = (await ann.post(annSocket, room.id, 'committed')) as { data: Posted }
      const rows = await chat.database.db.query('select seq from messages where room_id = $1 and id = $2', [
        room.id,
        reply.data.id,
      ])
      expect(rows).toEqual([{ seq: reply.data.seq }])
    })

    it('accepts a reply only to a message of the same room', async () => {
      const room = await roomForTwo()
      await ann.post(annSocket, room.id, 'question')
      expect(await ben.post(benSocket, room.id, 'answer', { replyTo: 1 })).toHaveProperty('data.seq', 2)
      for (const replyTo of [3, 1_000_000])
        expect(await ben.post(benSocket, room.id, 'answer', { replyTo })).toMatchObject({
          error: { code: 'invalid', reason: 'reply_to_nothing', field: 'replyTo' },
        })
      expect((await ann.history(room.id)).map(({ replyTo }) => replyTo)).toEqual([null, 1])
    })

    it('refuses the same id of an author in two rooms', async () => {
      const [one, two] = [await roomForTwo(), await roomForTwo()]
      const id = randomUUID()
      await ann.post(annSocket, one.id, 'here', { id })
      expect(await ann.post(annSocket, two.id, 'there', { id })).toMatchObject({
        error: { code: 'conflict', reason: 'message_id_taken', field: 'id' },
      })
      // Another author may use the same id.
      expect(await ben.post(benSocket, two.id, 'mine', { id })).toHaveProperty('data.seq', 1)
    })

    it('takes the author from the session, and ignores an author in the payload', async () => {
      const room = await roomForTwo()
      await ann.emit(annSocket, 'message:post', {
        roomId: room.id,
        id: randomUUID(),
        body: 'me',
        author: { id: ben.account.id },
        authorId: ben.account.id,
        seq: 99,
        __proto__: { admin: true },
      })
      expect((await ann.history(room.id)).map(({ seq, author }) => [seq, author.id])).toEqual([[1, ann.account.id]])
    })

    it('is limited per account, for all its sockets together', async () => {
      const strict = await chat.replica({ LIMIT_POST: '3/60' })
      const eve = await newPerson(chat.url, 'Eve')
      const room = await eve.openRoom('private')
      const sockets = [
        await eve.connect(strict.url, { origin: strict.url }),
        await eve.connect(strict.url, { origin: strict.url }),
      ]
      const replies = []
      for (let n = 0; n < 4; n += 1) replies.push(await eve.post(sockets[n % 2] as TestSocket, room.id, `${n}`))
      expect(replies.map((reply) => ('error' in reply ? reply.error.code : reply.data.seq))).toEqual([
        1,
        2,
        3,
        'rate_limited',
      ])
    })

    it.each<[string, unknown, string, string?]>([
      ['nothing', undefined, 'malformed'],
      ['a string', 'hello', 'malformed'],
      ['a list', [1, 2], 'malformed'],
      ['null', null, 'malformed'],
      ['no body', { id: randomUUID() }, 'malformed', 'body'],
      ['an empty body', { id: randomUUID(), body: ' \n ' }, 'empty', 'body'],
      ['a body that is too long', { id: randomUUID(), body: 'x'.repeat(limits.message + 1) }, 'too_long', 'body'],
      ['a body of the wrong type', { id: randomUUID(), body: ['x'] }, 'malformed', 'body'],
      ['a NUL in the body', { id: randomUUID(), body: 'a\u0000b' }, 'hidden_characters', 'body'],
      ['half a character', { id: randomUUID(), body: 'a\ud83d' }, 'hidden_characters', 'body'],
      ['no id', { body: 'x' }, 'malformed', 'id'],
      ['an invalid id', { id: 'one', body: 'x' }, 'malformed', 'id'],
      ['a reply to a fraction', { id: randomUUID(), body: 'x', replyTo: 1.5 }, 'malformed', 'replyTo'],
      ['a binary body', { id: randomUUID(), body: Buffer.from('x') }, 'malformed', 'body'],
    ])('is refused with %s, and changes nothing', async (_what, payload, reason, field) => {
      const room = await roomForTwo()
      const sent =
        typeof payload === 'object' && payload !== null && !Array.isArray(payload)
          ? { roomId: room.id, ...payload }
          : payload
      const sentence = expect.stringMatching(
        /^(Please enter a message|The field \w+ is|The request could)[^:]*\.$/,
      ) as string
      expect(await ann.emit(annSocket, 'message:post', sent)).toEqual({
        error: { code: 'invalid', reason, message: sentence, field },
      })
      expect(await ann.history(room.id)).toEqual([])
      expect(await ann.post(annSocket, room.id, 'still connected')).toHaveProperty('data.seq', 1)
    })

    it('stores a message without an acknowledgement function, and ignores unknown events', async () => {
      const room = await roomForTwo()
      const news = nextNews(benSocket, 'messages:posted')
      annSocket.emit(
        'message:post',
        { roomId: room.id, id: randomUUID(), body: 'fire and forget' },
        'not a function' as never,
      )
      expect((await news).messages[0]?.body).toBe('fire and forget')
      annSocket.emit('room:explode' as 'typing:start', { roomId: room.id })
      expect(await ann.post(annSocket, room.id, 'still connected')).toHaveProperty('data.seq', 2)
    })

    it('closes only the connection that sends a frame over the limit', async () => {
      const room = await roomForTwo()
      const socket = await ann.connect()
      const closed = new Promise((resolve) => socket.once('disconnect', resolve))
      socket.emit('message:post', { roomId: room.id, id: randomUUID(), body: 'x'.repeat(100_000) }, () => undefined)
      await closed
      expect(await ann.history(room.id)).toEqual([])
      expect(await ann.post(annSocket, room.id, 'unharmed')).toHaveProperty('data.seq', 1)
    })
  })

  describe('changing a message', () => {
    it('is sent to the room and is in the history', async () => {
      const room = await roomForTwo()
      await ann.post(annSocket, room.id, 'helo')
      const news = nextNews(benSocket, 'message:edited')
      const reply = await annSocket.emitWithAck('message:edit', { roomId: room.id, seq: 1, body: 'hello' })
      expect(reply).toMatchObject({
        data: { seq: 1, body: 'hello', deleted: false, editedAt: expect.any(String) as string },
      })
      expect(await news).toEqual({ roomId: room.id, message: (reply as { data: Message }).data })
      expect(await ben.history(room.id)).toEqual([(reply as { data: Message }).data])
    })

    it('by deletion keeps the number and removes the text', async () => {
      const room = await roomForTwo()
      await ann.post(annSocket, room.id, 'secret')
      const news = nextNews(benSocket, 'message:deleted')
      await annSocket.emitWithAck('message:delete', { roomId: room.id, seq: 1 })
      expect((await news).message).toMatchObject({ seq: 1, body: '', deleted: true })
      expect(await ben.history(room.id)).toEqual([(await news).message])
      expect(
        JSON.stringify(await chat.database.db.query('select * from messages where room_id = $1', [room.id])),
      ).not.toContain('secret')
      expect(await annSocket.emitWithAck('message:edit', { roomId: room.id, seq: 1, body: 'back' })).toHaveProperty(
        'error.reason',
        'no_such_message',
      )
    })

    it('is refused for other accounts', async () => {
      const room = await roomForTwo()
      await ann.post(annSocket, room.id, 'mine')
      const before = await ann.history(room.id)
      expect(await benSocket.emitWithAck('message:edit', { roomId: room.id, seq: 1, body: 'yours' })).toHaveProperty(
        'error.reason',
        'no_such_message',
      )
      expect(await benSocket.emitWithAck('message:delete', { roomId: room.id, seq: 1 })).toHaveProperty(
        'error.reason',
        'no_such_message',
      )
      expect(await ann.history(room.id)).toEqual(before)
    })

    it('increases the version of the room by one, in the order of the events', async () => {
      const room = await roomForTwo()
      for (let n = 1; n <= 6; n += 1)
        await (n % 2 ? ann.post(annSocket, room.id, `${n}`) : ben.post(benSocket, room.id, `${n}`))
      const heard: number[] = []
      const note = ({ roomId, message }: { roomId: string; message: Message }) => {
        if (roomId === room.id) heard.push(message.version)
      }
      annSocket.on('message:edited', note).on('message:deleted', note)
      const changes = Array.from({ length: 30 }, (_, n) => {
        const seq = 1 + (n % 6)
        const socket = seq % 2 ? annSocket : benSocket
        // A refused change takes no version: the message of the other account, or a missing message.
        void socket.emitWithAck('message:edit', { roomId: room.id, seq: n % 3 ? seq + 1 : 99, body: 'no' })
        return socket.emitWithAck('message:edit', { roomId: room.id, seq, body: `change ${n}` })
      })
      const versions = (await Promise.all(changes)).map((reply) => ('data' in reply ? reply.data.version : 0))
      const all = Array.from({ length: 30 }, (_, n) => n + 1)
      expect(versions.sort((a, b) => a - b)).toEqual(all)
      expect(heard).toEqual(all)
      expect((await ben.ask<Room>('GET', `/api/rooms/${room.id}`)).body.version).toBe(30)
    })
  })

  describe('paging', () => {
    it('returns messages that changed after a version, in the order of changes, each in its current form', async () => {
      const room = await roomForTwo()
      for (let n = 1; n <= 5; n += 1) await ann.post(annSocket, room.id, `${n}`)
      const edit = (seq: number, body: string) => annSocket.emitWithAck('message:edit', { roomId: room.id, seq, body })
      await edit(4, 'four')
      await edit(2, 'two')
      await edit(4, 'FOUR')
      await annSocket.emitWithAck('message:delete', { roomId: room.id, seq: 1 })
      const page = async (query: string) => {
        const { body } = await ben.ask<Page>('GET', `/api/rooms/${room.id}/messages?${query}`)
        expect(body).toMatchObject({ head: 5, version: 4 })
        return body.messages.map(({ seq, version, body }) => [seq, version, body])
      }
      const changes = [
        [2, 2, 'two'],
        [4, 3, 'FOUR'],
        [1, 4, ''],
      ]
      expect(await page('changedAfter=0')).toEqual(changes)
      expect(await page('changedAfter=0&limit=2')).toEqual(changes.slice(0, 2))
      expect(await page('changedAfter=2')).toEqual(changes.slice(1))
      expect(await page('changedAfter=4')).toEqual([])
      expect(await page('limit=2')).toEqual([
        [4, 3, 'FOUR'],
        [5, 0, '5'],
      ])
    })

    it('returns the messages around a message', async () => {
      const room = await roomForTwo()
      for (let n = 1; n <= 20; n += 1) await ann.post(annSocket, room.id, `${n}`)
      const page = async (query: string) =>
        (await ben.ask<Page>('GET', `/api/rooms/${room.id}/messages?${query}`)).body.messages.map(({ seq }) => seq)
      expect(await page('around=10&limit=5')).toEqual([8, 9, 10, 11, 12])
      expect(await page('around=10&limit=1')).toEqual([10])
      expect(await page('around=1&limit=4')).toEqual([1, 2, 3])
      expect(await page('around=20&limit=4')).toEqual([19, 20])
      expect(await page('around=999&limit=4')).toEqual([19, 20])
    })

    it('works in both directions, always in ascending seq', async () => {
      const room = await roomForTwo()
      for (let n = 1; n <= 25; n += 1) await ann.post(annSocket, room.id, `${n}`)
      const page = async (query: string) => {
        const { body } = await ben.ask<Page>('GET', `/api/rooms/${room.id}/messages?${query}`)
        expect(body.head).toBe(25)
        return body.messages.map(({ seq }) => seq)
      }
      const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n)
      expect(await page('limit=10')).toEqual(range(16, 25))
      expect(await page('before=16&limit=10')).toEqual(range(6, 15))
      expect(await page('before=6&limit=10')).toEqual(range(1, 5))
      expect(await page('before=1')).toEqual([])
      expect(await page('after=0&limit=10')).toEqual(range(1, 10))
      expect(await page('after=20&limit=10')).toEqual(range(21, 25))
      expect(await page('after=25')).toEqual([])
    })

    it('returns shorter pages of long messages, and skips none in either direction', async () => {
      const room = await roomForTwo()
      for (let n = 1; n <= 40; n += 1) await ann.post(annSocket, room.id, '🙂'.repeat(4000))
      const page = async (query: string) => {
        const response = await fetch(`${chat.url}/api/rooms/${room.id}/messages?limit=200&${query}`, {
          headers: { cookie: ben.cookie },
        })
        const text = await response.text()
        expect(Buffer.byteLength(text)).toBeLessThan(300_000)
        return (JSON.parse(text) as Page).messages.map(({ seq }) => seq)
      }
      const all = Array.from({ length: 40 }, (_, n) => n + 1)
      const forwards: number[] = []
      while (forwards.length < 40) forwards.push(...(await page(`after=${forwards.at(-1) ?? 0}`)))
      expect(forwards).toEqual(all)
      const backwards: number[] = []
      while (backwards.length < 40) backwards.unshift(...(await page(`before=${backwards[0] ?? 41}`)))
      expect(backwards).toEqual(all)
    })

    it.each([
      'limit=0',
      'limit=201',
      'limit=ten',
      'before=-1',
      'before=0',
      'after=1.5',
      'after=1&before=3',
      'around=0',
      'changedAfter=-1',
      'around=1&changedAfter=1',
      'before=1&before=2',
      'after=99999999999999999999',
    ])('is refused with %s', async (query) => {
      const room = await roomForTwo()
      expect((await ann.ask('GET', `/api/rooms/${room.id}/messages?${query}`)).body).toMatchObject({
        error: { code: 'invalid' },
      })
    })
  })

  describe('messages between replicas', () => {
    /** Follows a room as the protocol says: takes events, and loads missing messages. */
    function follow(person: Person, socket: TestSocket, roomId: string) {
      const seen = new Map<number, string>()
      const waiting: { head: number; resolve: () => void }[] = []
      const check = () => {
        for (const { head, resolve } of waiting)
          if (Array.from({ length: head }, (_, n) => n + 1).every((seq) => seen.has(seq))) resolve()
      }
      const take = (messages: Message[]) => {
        for (const { seq, body } of messages) seen.set(seq, body)
        check()
      }
      const fetchMissing = async () => take(await person.history(roomId))
      socket.on('messages:posted', (news) => {
        if (news.roomId !== roomId) return
        take(unpackPosted(news).messages)
        if (seen.size < Math.max(...seen.keys())) void fetchMissing()
      })
      socket.on('room:head', (news) => {
        if (news.roomId === roomId && news.head > seen.size) void fetchMissing()
      })
      return {
        upTo: (head: number) =>
          new Promise<string[]>((resolve) => {
            waiting.push({ head, resolve: () => resolve([...seen].sort(([a], [b]) => a - b).map(([, body]) => body)) })
            check()
          }),
      }
    }

    it('have the same order for members on different replicas', async () => {
      const room = await roomForTwo()
      const other = await chat.replica()
      const there = await ben.connect(other.url, { origin: other.url })
      const [atAnn, atBen] = [follow(ann, annSocket, room.id), follow(ben, there, room.id)]
      await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          n % 2 === 0 ? ann.post(annSocket, room.id, `${n}`) : ben.post(there, room.id, `${n}`),
        ),
      )
      const [one, two] = await Promise.all([atAnn.upTo(40), atBen.upTo(40)])
      expect(one).toEqual(two)
      expect(one).toEqual((await ann.history(room.id)).map(({ body }) => body))
    }, 60_000)

    it('are delivered after a lost hint, also the last message of a room', async () => {
      const room = await roomForTwo()
      const atBen = follow(ben, benSocket, room.id)
      await ann.post(annSocket, room.id, 'heard')
      // Stored by a process that ended before it sent the event.
      await chat.database.db.query(
        `with taken as (update rooms set head = head + 1 where id = $1 returning head)
         insert into messages (room_id, seq, id, author_id, body) select $1, head, gen_random_uuid(), $2, 'never told' from taken`,
        [room.id, ann.account.id],
      )
      expect(await atBen.upTo(2)).toEqual(['heard', 'never told'])
    })
  })
})
