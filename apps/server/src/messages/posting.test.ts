import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPeople } from '../accounts/person.js'
import type { News } from '../live/news.js'
import type { Database } from '../platform/db.js'
import { createRooms } from '../rooms/rooms.js'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { eventually } from '../test/eventually.js'
import { createMessages } from './messages.js'

const isReal = process.env.TEST_SESSION_REDIS !== undefined

describe('posting to a room that cannot be written to', () => {
  const { toPerson } = createPeople({ cdnPrefix: null })
  let fresh: FreshDatabase
  let roomId: string
  let ann: string
  /** The number of transactions that have begun. Each waits for `opened`. */
  let begun = 0
  let opened = Promise.resolve()

  const told: number[] = []
  const news: News = {
    send(dispatch) {
      if (dispatch.type === 'messages:posted') told.push(...dispatch.payload.messages.map(({ seq }) => seq))
    },
  }
  const slow = (): Database => ({
    ...fresh.db,
    transaction(work) {
      begun += 1
      return opened.then(() => fresh.db.transaction(work))
    },
  })
  const close = () => {
    let open = () => {}
    opened = new Promise((resolve) => (open = resolve))
    begun = 0
    return open
  }
  const message = (id: string = randomUUID()) => ({ roomId, id, body: 'hello' })
  const codeOf = (error: unknown) => (error as { code?: string; name: string }).code ?? (error as Error).name

  beforeAll(async () => {
    fresh = await freshDatabase()
    const [account] = await fresh.db.query<{ id: string }>(
      `insert into accounts (name, email, password_hash) values ('Ann', 'ann@example.com', 'x') returning id`,
    )
    ann = account?.id ?? ''
    roomId = (await createRooms({ db: fresh.db, news, toPerson }).create(ann, { name: 'Busy', kind: 'private' })).id
  })
  afterAll(() => fresh.close())
  const createAll = () => {
    const db = slow()
    return createMessages({ db, news, rooms: createRooms({ db, news, toPerson }), toPerson })
  }

  it('writes a message once when it is sent many times, and gives each request the same answer', async () => {
    const messages = createAll()
    const open = close()
    const first = message()
    const ahead = messages.post(ann, message())
    const same = Array.from({ length: 20 }, () => messages.post(ann, first))
    open()
    await ahead
    const answers = await Promise.all(same)
    expect(new Set(answers.map(({ seq }) => seq)).size).toBe(1)
    expect(begun).toBe(2)
    // A message that is already stored gets the same answer.
    expect(await messages.post(ann, first)).toEqual(answers[0])
  })

  it('refuses posts above the limit, and stores the others in order and without gaps', async () => {
    const messages = createAll()
    const open = close()
    told.length = 0
    const outcomes = Promise.allSettled(Array.from({ length: 250 }, () => messages.post(ann, message())))
    open()
    const settled = await outcomes
    const refused = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [codeOf(outcome.reason)] : []))
    expect(refused.filter((code) => code === 'unavailable')).toHaveLength(49)
    // On a slow machine some of the others reach the deadline.
    const stored = settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.seq] : []))
    expect(stored.length + refused.filter((code) => code === 'Unavailable').length).toBe(201)
    expect(told).toEqual(told.map((_, index) => (told[0] ?? 0) + index))
    expect(told).toEqual(expect.arrayContaining(stored))
  })

  it('answers before the client gives up, and never writes a post that still waits then', async () => {
    const messages = createAll()
    const open = close()
    const settled = await Promise.allSettled(Array.from({ length: 5 }, () => messages.post(ann, message())))
    expect(settled.map((outcome) => outcome.status === 'rejected' && codeOf(outcome.reason))).toEqual(
      Array(5).fill('Unavailable'),
    )
    open()
    const before = await fresh.db.query('select from messages')
    const last = await messages.post(ann, message())
    // The post whose transaction had begun is stored and sent to the room. The four behind it are not.
    expect(begun).toBe(2)
    expect((await fresh.db.query('select from messages')).length).toBeLessThanOrEqual(before.length + 2)
    await eventually(() => expect(told.at(-1)).toBe(last.seq))
  })
})

describe('posts that arrive together', () => {
  const { toPerson } = createPeople({ cdnPrefix: null })
  let fresh: FreshDatabase
  let ann: string
  let ben: string
  let commits = 0
  let told: { roomId: string; seqs: number[] }[] = []
  const news: News = {
    send(dispatch) {
      if (dispatch.type === 'messages:posted')
        told.push({ roomId: dispatch.payload.roomId, seqs: dispatch.payload.messages.map(({ seq }) => seq) })
    },
  }

  beforeAll(async () => {
    fresh = await freshDatabase()
    const accounts = await fresh.db.query<{ id: string }>(
      `insert into accounts (name, email, password_hash)
       values ('Ann', 'ann@example.com', 'x'), ('Ben', 'ben@example.com', 'x') returning id`,
    )
    ;[ann = '', ben = ''] = accounts.map(({ id }) => id)
  })
  afterAll(() => fresh.close())

  const counted = (): Database => ({
    ...fresh.db,
    async transaction(work, options) {
      const result = await fresh.db.transaction(work, options)
      commits += 1
      return result
    },
  })
  const setting = (db = counted()) => {
    const rooms = createRooms({ db, news, toPerson })
    told = []
    commits = 0
    return { rooms, messages: createMessages({ db, news, rooms, toPerson }) }
  }
  const openRoom = async (rooms = setting().rooms) =>
    (await rooms.create(ann, { name: randomUUID().slice(0, 8), kind: 'private' })).id
  const message = (roomId: string, body = 'hello', id: string = randomUUID()) => ({ roomId, id, body })
  const reasonOf = (outcome: PromiseSettledResult<unknown>) =>
    outcome.status === 'rejected' ? (outcome.reason as { code?: string }).code : 'stored'
  const bodiesIn = async (roomId: string) =>
    (
      await fresh.db.query<{ body: string; seq: number }>(
        'select body, seq from messages where room_id = $1 order by seq',
        [roomId],
      )
    ).map(({ body, seq }) => `${seq} ${body}`)

  it('share a commit, in the order of arrival within each room, and one dispatch for each room', async () => {
    const { rooms, messages } = setting()
    const [a, b] = [await openRoom(rooms), await openRoom(rooms)]
    commits = 0
    // The first is written at once. The others arrive during its commit.
    const posted = await Promise.all(
      Array.from({ length: 41 }, (_, n) => messages.post(ann, message(n % 2 === 0 ? a : b, `${n}`))),
    )
    expect(commits).toBe(2)
    expect(posted.filter((_, n) => n % 2 === 0).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 21 }, (_, n) => n + 1),
    )
    expect(await bodiesIn(b)).toEqual(Array.from({ length: 20 }, (_, n) => `${n + 1} ${2 * n + 1}`))
    expect(told.map(({ roomId, seqs }) => [roomId === a ? 'a' : 'b', seqs.length])).toEqual([
      ['a', 1],
      ['b', 20],
      ['a', 20],
    ])
  })

  it('move the read mark of each author to their last message', async () => {
    const { rooms, messages } = setting()
    const room = await openRoom(rooms)
    await rooms.admitBot(ben, await rooms.requireMember(ann, room))
    await Promise.all([ann, ben, ann, ann, ben].map((author) => messages.post(author, message(room))))
    const marks = await fresh.db.query('select read_seq from memberships where room_id = $1 order by read_seq', [room])
    expect(marks).toEqual([{ read_seq: 4 }, { read_seq: 5 }])
  })

  it('are refused one by one: no member, a wrong reply, an id of another room', async () => {
    const { rooms, messages } = setting()
    const [a, b] = [await openRoom(rooms), await openRoom(rooms)]
    const twice = randomUUID()
    await messages.post(ann, message(b, 'first', twice))
    const outcomes = await Promise.allSettled([
      messages.post(ann, message(b, 'ahead')),
      messages.post(ann, message(a, 'one')),
      messages.post(ben, message(a, 'from a stranger')),
      messages.post(ann, { ...message(a, 'to nothing'), replyTo: 9 }),
      messages.post(ann, message(a, 'used elsewhere', twice)),
      messages.post(ann, { ...message(a, 'two'), replyTo: 1 }),
    ])
    expect(outcomes.map(reasonOf)).toEqual(['stored', 'stored', 'not_found', 'invalid', 'conflict', 'stored'])
    expect(await bodiesIn(a)).toEqual(['1 one', '2 two'])
  })

  it('are stored in one room when two rooms get the same id at once', async () => {
    const { rooms, messages } = setting()
    const [a, b] = [await openRoom(rooms), await openRoom(rooms)]
    const id = randomUUID()
    const outcomes = await Promise.allSettled([
      messages.post(ann, message(a, 'ahead')),
      messages.post(ann, message(a, 'here', id)),
      messages.post(ann, message(b, 'there', id)),
    ])
    expect(outcomes.map(reasonOf)).toEqual(['stored', 'stored', 'conflict'])
  })

  it('are stored when PostgreSQL refuses another row of the batch', async () => {
    const { rooms, messages } = setting()
    const room = await openRoom(rooms)
    const bodies = ['ahead', 'one', 'two', 'x'.repeat(4001), 'three', 'four']
    const outcomes = await Promise.allSettled(bodies.map((body) => messages.post(ann, message(room, body))))
    expect(outcomes.map((outcome) => outcome.status === 'fulfilled')).toEqual([true, true, true, false, true, true])
    expect(await bodiesIn(room)).toEqual(['1 ahead', '2 one', '3 two', '4 three', '5 four'])
    expect(told.flatMap(({ seqs }) => seqs)).toEqual([1, 2, 3, 4, 5])
  })

  it('are stored once when two replicas get the same posts in different orders', async () => {
    const [here, there] = [setting(), setting()]
    const rooms = await Promise.all([openRoom(), openRoom(), openRoom()])
    const all = Array.from({ length: 30 }, (_, n) => message(rooms[n % 3]!, `${n}`))
    const outcomes = await Promise.all([
      Promise.all(all.map((each) => here.messages.post(ann, each))),
      Promise.all(all.toReversed().map((each) => there.messages.post(ann, each))),
    ])
    expect(outcomes[1].reverse()).toEqual(outcomes[0])
    for (const room of rooms) expect(await bodiesIn(room)).toHaveLength(10)
  })

  it.runIf(isReal)('do not wait for a room that another transaction has locked', async () => {
    const { rooms, messages } = setting()
    const [locked, free] = [await openRoom(rooms), await openRoom(rooms)]
    let unlock = () => {}
    const kept = new Promise<void>((resolve) => (unlock = resolve))
    let isLocked = () => {}
    const locking = new Promise<void>((resolve) => (isLocked = resolve))
    const other = fresh.db.transaction(async (tx) => {
      await tx.query('select from rooms where id = $1 for update', [locked])
      isLocked()
      await kept
    })
    await locking
    const ahead = messages.post(ann, message(free, 'ahead'))
    const stuck = Promise.all([1, 2, 3].map((n) => messages.post(ann, message(locked, `${n}`))))
    // One after another, each in its own batch, while the locked room waits.
    for (const body of ['one', 'two', 'three']) await messages.post(ann, message(free, body))
    await ahead
    expect(await bodiesIn(locked)).toEqual([])
    unlock()
    await other
    await stuck
    expect(await bodiesIn(locked)).toEqual(['1 1', '2 2', '3 3'])
    expect(await bodiesIn(free)).toEqual(['1 ahead', '2 one', '3 two', '4 three'])
  })

  it('do not wait for a batch that hangs', async () => {
    const [stuck, free] = [await openRoom(), await openRoom()]
    const db = counted()
    let open = () => {}
    const hanging = new Promise<void>((resolve) => (open = resolve))
    let begun = 0
    const { messages } = setting({
      ...db,
      async transaction(work, options) {
        begun += 1
        if (begun === 1) await hanging
        return db.transaction(work, options)
      },
    })
    const first = messages.post(ann, message(stuck, 'one'))
    const second = messages.post(ann, message(stuck, 'two'))
    await messages.post(ann, message(free, 'meanwhile'))
    expect(await bodiesIn(stuck)).toEqual([])
    open()
    expect([await first, await second].map(({ seq }) => seq)).toEqual([1, 2])
  })
})
