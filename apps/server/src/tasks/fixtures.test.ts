import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isEmojiAlone, parseMarkdown, type Block, type Inline } from '../../../web/src/text/markdown.js'
import { verifyPassword } from '../accounts/password.js'
import { readConfig } from '../config.js'
import { notifyLevels } from '../contract.js'
import { mentionedIn, namesEveryone } from '../mentions/mentioned.js'
import type { Database } from '../platform/db.js'
import { freshDatabase, quiet, type FreshDatabase } from '../test/database.js'
import { fixtures } from './fixtures.js'

/** A person has written in General, and has changed the message. */
const early = `with early as (insert into accounts (name, email, password_hash) values ('Early', 'early@example.com', 'x') returning id),
       general as (insert into rooms (name, kind, head, version) values ('General', 'public', 1, 1) returning id),
       member as (insert into memberships (room_id, account_id, read_seq) select general.id, early.id, 1 from general, early)
  insert into messages (room_id, seq, id, author_id, body, edited_at, version)
  select general.id, 1, gen_random_uuid(), early.id, 'Nobody here?', now(), 1 from general, early`

describe.each([
  ['an empty chat', 'select', 0],
  ['a chat with a person and a message in General', early, 1],
])('the fixtures in %s', (_chat, before, said) => {
  let database: FreshDatabase
  let db: Database
  const load = () => {
    const config = readConfig({ DATABASE_URL: database.url, COOKIE_SECRET: 'a secret for tests only' })
    return fixtures({ config, log: quiet })
  }

  beforeAll(async () => {
    database = await freshDatabase()
    db = database.db
    await db.query(before)
    await load()
  })
  afterAll(() => database.close())

  it('number the messages of each room from 1, and its newest message is the head', async () => {
    expect(
      await db.query(
        `select r.name, r.head from rooms r
          where r.head = 0 or r.head <> (select count(*) from messages where room_id = r.id)
                or r.head <> (select max(seq) from messages where room_id = r.id)`,
      ),
    ).toEqual([])
  })

  it('give each change a version of its room', async () => {
    const wrong = await db.query(
      `select r.name, r.version, changes, newest, numbers, changed, versioned
         from rooms r
        cross join lateral (
          select count(edited_at) + count(deleted_at) + coalesce(sum(reacted), 0) as changes, max(version) as newest,
                 count(distinct version) filter (where version > 0) as numbers, count(*) filter (where version > 0) as versioned,
                 count(*) filter (where edited_at is not null or deleted_at is not null or reacted > 0) as changed,
                 bool_or((version > 0) <> (edited_at is not null or deleted_at is not null or reacted > 0)) as mixed
            from messages m
           cross join lateral (select count(*) as reacted from reactions where room_id = m.room_id and seq = m.seq) of_message
           where m.room_id = r.id) of_room
        where r.version <> changes or newest <> changes or numbers <> versioned or mixed`,
    )
    expect(wrong).toEqual([])
  })

  it('have no date in the future, and messages in the order of their dates, over two weeks and more', async () => {
    expect(
      await db.query(
        `select m.seq, m.body
           from messages m left join messages b on b.room_id = m.room_id and b.seq = m.seq - 1
           left join reactions r on r.room_id = m.room_id and r.seq = m.seq
          where m.seq > $1 + 1 and b.posted_at > m.posted_at
                or least(m.edited_at, m.deleted_at, r.reacted_at) < m.posted_at
                or greatest(m.posted_at, m.edited_at, m.deleted_at, r.reacted_at) > now()`,
        [said],
      ),
    ).toEqual([])
    expect(
      await db.query(
        `select m.seq from messages m join memberships own on own.room_id = m.room_id and own.account_id = m.author_id
          where own.joined_at > m.posted_at and m.author_id::text like '10000000-%'`,
      ),
    ).toEqual([])
    expect(
      await db.query(`select from messages having max(posted_at) - min(posted_at) > interval '14 days'`),
    ).toHaveLength(1)
  })

  it('let only members write and react, and each has read their own messages', async () => {
    expect(
      await db.query(
        `select room_id, seq, author_id from messages union all select room_id, seq, account_id from reactions
         except select room_id, seq, account_id from memberships join messages using (room_id)`,
      ),
    ).toEqual([])
    expect(
      await db.query(
        `select r.name, own.read_seq from memberships own join rooms r on r.id = own.room_id
          where own.read_seq > r.head
                or own.read_seq < (select max(seq) from messages where room_id = r.id and author_id = own.account_id)`,
      ),
    ).toEqual([])
  })

  it('have direct conversations of two and of three, with the people sorted', async () => {
    expect(
      await db.query(
        `select cardinality(people) as people,
                people = (select array_agg(account_id order by account_id) from memberships where room_id = r.id) as sorted
           from rooms r where kind = 'direct' order by people`,
      ),
    ).toEqual([
      { people: 2, sorted: true },
      { people: 3, sorted: true },
    ])
  })

  it('say what rooms are about, and have an archived one in which nobody has written since', async () => {
    const rooms = await db.query<{ isLater: boolean; topic: string; isArchived: boolean }>(
      `select topic, archived_at is not null as "isArchived",
              exists (select from messages where room_id = r.id and posted_at > archived_at) as "isLater"
         from rooms r`,
    )
    expect(rooms.filter(({ topic }) => topic !== '').length).toBeGreaterThan(3)
    expect(rooms.filter(({ isArchived }) => isArchived)).toHaveLength(1)
    expect(rooms.filter(({ isLater }) => isLater)).toEqual([])
  })

  it('name the people whom the server finds in the texts', async () => {
    const messages = await db.query<{
      body: string
      isCreator: boolean
      members: { id: string; name: string }[]
      author: string
      found: { id: string; written: string; everyone: boolean }[]
    }>(
      `select m.body, m.author_id as author, m.author_id = r.created_by as "isCreator",
              (select jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name))
                 from memberships join accounts a on a.id = account_id where room_id = r.id) as members,
              (select coalesce(jsonb_agg(jsonb_build_object('id', account_id, 'written', written, 'everyone', everyone)), '[]')
                 from mentions n where n.room_id = r.id and n.seq = m.seq) as found
         from messages m join rooms r on r.id = m.room_id
        where m.body like '%@%'`,
    )
    expect(messages.length).toBeGreaterThan(5)
    for (const { body, author, isCreator, members, found } of messages) {
      const named = mentionedIn(body, members).map(({ id, written }) => ({ id, written, everyone: false }))
      const all = members.filter(({ id }) => isCreator && namesEveryone(body) && id !== author)
      const expected = [...named, ...all.map(({ id }) => ({ id, written: 'room', everyone: true }))]
      expect(expected.length, body).toBeGreaterThan(0)
      expect(found, body).toHaveLength(expected.length)
      expect(found, body).toEqual(expect.arrayContaining(expected))
    }
  })

  it('change nothing when they are loaded again, not even what people have changed', async () => {
    const state = async () => {
      const tables = ['accounts', 'rooms', 'memberships', 'messages', 'reactions', 'mentions']
      return Promise.all(tables.map((table) => db.query(`select * from ${table} each order by each::text`)))
    }
    const first = await state()
    expect(await load()).toBe(0)
    expect(await state()).toEqual(first)
    await db.query(`delete from memberships where account_id = (select id from accounts where name = 'Boris Lind')`)
    const left = await state()
    expect(await load()).toBe(0)
    expect(await state()).toEqual(left)
    expect(left).not.toEqual(first)
  })
})

describe('the fixtures', () => {
  let database: FreshDatabase
  let bodies: string[]
  const count = async (query: string) => (await database.db.query(query)).length

  beforeAll(async () => {
    database = await freshDatabase()
    const config = readConfig({ DATABASE_URL: database.url, COOKIE_SECRET: 'a secret for tests only' })
    await fixtures({ config, log: quiet })
    bodies = (await database.db.query<{ body: string }>('select body from messages')).map(({ body }) => body)
  })
  afterAll(() => database.close())

  it('show every kind of Markdown, emoji alone, and a long message', () => {
    const kinds = bodies.flatMap((body) => parseMarkdown(body).flatMap(kindsIn))
    expect(new Set(kinds)).toEqual(
      new Set(['text', 'code', 'quote', 'list', 'numbered list', 'strong', 'em', 'del', 'inline code', 'link']),
    )
    expect(bodies.filter(isEmojiAlone).length).toBeGreaterThan(3)
    expect(Math.max(...bodies.map((body) => body.length))).toBeGreaterThan(700)
  })

  it('speak English and Russian', () => {
    const lettersIn = (script: string) =>
      bodies.filter((body) => (body.match(new RegExp(`\\p{Script=${script}}`, 'gu')) ?? []).length > 10).length
    expect(lettersIn('Latin')).toBeGreaterThan(100)
    expect(lettersIn('Cyrillic')).toBeGreaterThan(50)
  })

  it.each([
    ['a reply', 'select from messages where reply_to is not null'],
    ['an edited message', 'select from messages where edited_at is not null'],
    ['a deleted message', 'select from messages where deleted_at is not null'],
    ['a reaction of several people', 'select from reactions group by room_id, seq, emoji having count(*) > 2'],
    ['a message with several emoji', 'select from reactions group by room_id, seq having count(distinct emoji) > 2'],
    ['a mention of all people of a room', 'select from mentions where everyone'],
    [
      'three messages in a row by one person',
      `select from messages a join messages b using (room_id, author_id) join messages c using (room_id, author_id)
        where b.seq = a.seq + 1 and c.seq = a.seq + 2 and c.posted_at - a.posted_at < interval '5 minutes'`,
    ],
  ])('show %s', async (_what, query) => expect(await count(query)).toBeGreaterThan(0))

  it('react with nothing but emoji', async () => {
    const reactions = await database.db.query<{ emoji: string }>('select distinct emoji from reactions')
    const oneEmoji = new RegExp('^\\p{RGI_Emoji}$', 'v')
    expect(reactions.filter(({ emoji }) => !oneEmoji.test(emoji))).toEqual([])
  })

  it('leave something to read, and to be named in, to the people who can sign in', async () => {
    const waiting = await database.db.query(
      `select a.email, bool_or(own.read_seq < r.head) as unread,
              bool_or(exists (select from mentions n where n.account_id = a.id and n.room_id = r.id and n.seq > own.read_seq)) as named
         from accounts a join memberships own on own.account_id = a.id join rooms r on r.id = own.room_id
        where a.email = any($1::text[])
        group by a.email order by a.email`,
      [signIns.map(({ email }) => email)],
    )
    expect(waiting).toEqual(signIns.map(({ email }) => ({ email, unread: true, named: true })))
    expect(await count('select distinct notify from memberships')).toBe(notifyLevels.length)
  })

  it('let nobody else sign in', async () => {
    const others = await database.db.query<{ hash: string }>(
      `select distinct password_hash as hash from accounts where email <> all($1::text[])`,
      [signIns.map(({ email }) => email)],
    )
    expect(others).toHaveLength(1)
    for (const password of ['', ...signIns.map(({ password }) => password)])
      expect(await verifyPassword(password, others[0]!.hash)).toBe(false)
  })
})

const signIns = [...readFileSync('fixtures/demo.sql', 'utf8').matchAll(/^-- sign-in: (\S+) \/ (.+)$/gm)].map(
  ([, email = '', password = '']) => ({ email, password }),
)

function kindsIn(block: Block): string[] {
  if (block.kind === 'text') return ['text', ...block.children.flatMap(inlineKindsIn)]
  if (block.kind === 'code') return ['code']
  if (block.kind === 'quote') return ['quote', ...block.children.flatMap(kindsIn)]
  return [block.start === null ? 'list' : 'numbered list', ...block.items.flat().flatMap(kindsIn)]
}

function inlineKindsIn(inline: Inline): string[] {
  if (typeof inline === 'string') return []
  if ('children' in inline) return [inline.kind, ...inline.children.flatMap(inlineKindsIn)]
  return [inline.kind === 'code' ? 'inline code' : inline.kind]
}
