import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPeople } from '../accounts/person.js'
import type { News } from '../live/news.js'
import type { Database } from '../platform/db.js'
import { createRooms } from '../rooms/rooms.js'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { eventually } from '../test/eventually.js'
import { createMessages } from './messages.js'

describe('posting to a room that cannot be written to', () => {
  const { toPerson } = createPeople({ cdnPrefix: null })
  let fresh: FreshDatabase
  let roomId: string
  let ann: string
  /** Transactions begun, and what they wait for. */
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

  it('takes one place for a message, however often it is sent, and answers all of them alike', async () => {
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
    // Sent once more when it is stored, it is answered alike.
    expect(await messages.post(ann, first)).toEqual(answers[0])
  })

  it('refuses what is too much at once, and stores the rest in order and without holes', async () => {
    const messages = createAll()
    const open = close()
    told.length = 0
    const outcomes = Promise.allSettled(Array.from({ length: 250 }, () => messages.post(ann, message())))
    open()
    const settled = await outcomes
    const refused = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [codeOf(outcome.reason)] : []))
    expect(refused.filter((code) => code === 'unavailable')).toHaveLength(49)
    // On a slow machine some of the others are answered by the deadline.
    const stored = settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.seq] : []))
    expect(stored.length + refused.filter((code) => code === 'Unavailable').length).toBe(201)
    expect(told).toEqual(told.map((_, index) => (told[0] ?? 0) + index))
    expect(told).toEqual(expect.arrayContaining(stored))
  })

  it('is answered before the client gives up, and what has not begun by then never does', async () => {
    const messages = createAll()
    const open = close()
    const settled = await Promise.allSettled(Array.from({ length: 5 }, () => messages.post(ann, message())))
    expect(settled.map((outcome) => outcome.status === 'rejected' && codeOf(outcome.reason))).toEqual(
      Array(5).fill('Unavailable'),
    )
    open()
    const before = await fresh.db.query('select from messages')
    const last = await messages.post(ann, message())
    // The one that had begun is stored, and so told; the four behind it are not.
    expect(begun).toBe(2)
    expect((await fresh.db.query('select from messages')).length).toBeLessThanOrEqual(before.length + 2)
    await eventually(() => expect(told.at(-1)).toBe(last.seq))
  })
})
