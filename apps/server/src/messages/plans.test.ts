import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Db } from '../platform/db.js'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { addPeopleAndRooms, costlyNodes } from '../test/plans.js'
import type { VisibleRoom } from '../rooms/rooms.js'
import * as queries from './queries.js'

describe('the plans of statements about messages', () => {
  let fresh: FreshDatabase
  let room: string
  let author: string
  const id = '00000000-0000-4000-8000-000000000000'

  beforeAll(async () => {
    fresh = await freshDatabase()
    const { db } = fresh
    ;({ accountId: author, roomId: room } = await addPeopleAndRooms(db, {
      people: 2_000,
      rooms: 5,
      head: 20_000,
      version: 20,
    }))
    await db.query(
      `insert into messages (room_id, seq, id, author_id, body, version)
       select r.id, n, gen_random_uuid(), $1, 'text', case when n <= 20 then n else 0 end
         from rooms r, generate_series(1, 20000) n`,
      [author],
    )
    await db.query(
      `insert into reactions (room_id, seq, account_id, emoji)
       select r.id, n, a.id, '👍' from rooms r, generate_series(1, 20) n, (select id from accounts limit 200) a`,
    )
    await db.query('insert into memberships (room_id, account_id) select r.id, a.id from rooms r, accounts a')
    await db.query('analyze')
  })
  afterAll(() => fresh.close())

  const seen = () => ({ id: room }) as VisibleRoom
  const turn = () => ({ roomId: room, authorId: author, version: 1 }) as queries.Turn
  const tables = ['messages', 'memberships', 'reactions']
  const costly = (work: (db: Db) => Promise<unknown>) => costlyNodes(fresh.db, tables, work)

  it('fail the test when they read or sort a whole table', async () => {
    expect(await costly((db) => db.query(`select from messages where body = $1`, ['text']))).toEqual([
      'force_custom_plan: Seq Scan on messages',
      'force_generic_plan: Seq Scan on messages',
    ])
    expect(
      await costly((db) => db.query(`select id from messages where room_id = $1 order by body`, [room])),
    ).toContainEqual(expect.stringMatching(/^force_custom_plan: Sort of \d+ rows$/))
  })

  it.each<[string, (db: Db) => Promise<unknown>]>([
    ['the newest page', (db) => queries.pageBefore(db, seen(), Number.MAX_SAFE_INTEGER, 50)],
    ['the oldest page', (db) => queries.pageBefore(db, seen(), 51, 50)],
    ['pages after a number', (db) => queries.messagesAfter(db, 'seq', [{ roomId: room, after: 10_000 }], 50)],
    ['changes after a version', (db) => queries.messagesAfter(db, 'version', [{ roomId: room, after: 3 }], 50)],
    ['the heads of rooms', (db) => queries.headsOf(db, [room])],
    ['locking rooms', (db) => queries.lockRooms(db, [{ authorId: author, message: { roomId: room } }])],
    [
      'inserting messages',
      (db) => queries.insertMessages(db, [{ authorId: author, seq: 1, message: { roomId: room, id, body: 'x' } }]),
    ],
    ['messages with known ids', (db) => queries.sentBefore(db, [{ authorId: author, message: { id } }])],
    ['taking a version', (db) => queries.takeTurn(db, author, room)],
    ['giving a message a version', (db) => queries.touch(db, turn(), 10_000)],
    ['one message', (db) => queries.messageAt(db, room, 10)],
    ['changing a message', (db) => queries.updateBody(db, turn(), { seq: 10_000, body: 'y' })],
  ])('read only the rows they need: %s', async (_name, work) => {
    expect(await costly(work)).toEqual([])
  })
})
