import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createRandom } from '../../../../tools/test/random.js'
import { unpackPosted, type Message, type NewMessage, type PostedNews } from '../contract.js'
import { createNoHints } from '../live/hints.js'
import { createNews } from '../live/news.js'
import { createHeadWatch } from '../live/reconcile.js'
import { LockTimeout, type Database } from '../platform/db.js'
import { ChatError, Unavailable } from '../platform/errors.js'
import { createPostStore } from './post-store.js'
import { createPosting, type PostStore } from './posting.js'
import type * as Queries from './queries.js'

/**
 * Two replicas post into rooms of one simulated PostgreSQL: with row locks, slow and failing commits, answers that get
 * lost, hanging connections, rows that are refused and members who leave. Time is virtual and chance is seeded, so each
 * run is one interleaving that can be repeated. The test compares the result with the promises of posting.
 *
 * `SIMULATIONS=100000 npx vitest run --project apps apps/server/src/messages/posting.simulation.test.ts` runs more.
 */
const simulations = Number(process.env.SIMULATIONS ?? 1_000)

// The statements act on the simulated database.
vi.mock('./queries.js', () => ({
  lockRooms: (tx: Tx, posts: Sent[]) => tx.lockRooms(posts),
  insertMessages: (tx: Tx, messages: Numbered[]) => tx.insertMessages(messages),
  sentBefore: (db: World['db'], posts: Sent[]) => db.sentBefore(posts),
}))

type Sent = { authorId: string; message: NewMessage }
type Numbered = Sent & { seq: number }
type Row = Queries.MessageRow & { roomId: string }
interface Tx {
  lockRooms(posts: Sent[]): Promise<{ roomId: string; head: number; authorId: string }[]>
  insertMessages(messages: Numbered[]): Promise<Row[]>
}

/** Possible mistakes in posting or in its statements. */
const mistakes = [
  'acknowledges before the commit',
  'takes the number outside the transaction',
  'uses a number for a refused post',
  'stores a repeated message again',
  'refuses a batch because of one row',
  'stops writing to a room after a lock timeout',
  'writes the posts of a batch in another order',
  'sends no news after a commit',
  'sends no frames to a room',
  'sends news twice',
] as const
type Mistake = (typeof mistakes)[number]

/** Time that synchronous work has taken, in ms. Fake timers do not count it. */
let spentMs = 0

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const roomIds = ['room-1', 'room-2', 'room-3']
const authorIds = ['ann', 'ben', 'cem', 'dot']
const refusedBody = 'a row that PostgreSQL refuses'

type World = ReturnType<typeof createWorld>

/** Simulates PostgreSQL for posting. */
function createWorld(chance: () => number, mistake?: Mistake) {
  const rooms = new Map(
    roomIds.map((id) => [id, { committed: [] as Row[], isLocked: false, line: [] as (() => void)[] }]),
  )
  const members = new Set(roomIds.flatMap((roomId) => authorIds.map((authorId) => `${roomId} ${authorId}`)))
  /** Ids of messages that were in a transaction which a simulated fault ended. */
  const disturbed = new Set<string>()
  let isCalm = false
  /** A number from 0 to 1 that decides what happens to a transaction. In the middle it succeeds. */
  const fate = () => (isCalm ? 0.5 : chance())
  const roomOf = (id: string) => rooms.get(id)!
  const isStored = ({ authorId, message: { id } }: Sent) =>
    [...rooms.values()].some(({ committed }) => committed.some((row) => row.authorId === authorId && row.id === id))

  const isSame = (post: Sent) => (other: Sent) =>
    other.authorId === post.authorId && other.message.id === post.message.id

  async function lock(roomId: string, timeoutMs: number): Promise<void> {
    const room = roomOf(roomId)
    if (!room.isLocked) return void (room.isLocked = true)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        room.line.splice(room.line.indexOf(enter), 1)
        reject(new LockTimeout('locked'))
      }, timeoutMs)
      const enter = () => {
        clearTimeout(timer)
        resolve()
      }
      room.line.push(enter)
    })
  }
  function unlock(roomId: string): void {
    const room = roomOf(roomId)
    const next = room.line.shift()
    if (next === undefined) room.isLocked = false
    else next()
  }

  async function transaction<Result>(
    work: (tx: Tx) => Promise<Result>,
    { lockTimeoutMs = 4_000 }: { lockTimeoutMs?: number } = {},
  ): Promise<Result> {
    const locked: string[] = []
    const pending: Row[] = []
    let sent: Sent[] = []
    const fail = (what: string) => {
      for (const { message } of sent) disturbed.add(message.id)
      throw new Unavailable(what)
    }
    const tx: Tx = {
      async lockRooms(posts) {
        sent = posts
        await sleep(chance() * 3)
        if (fate() < 0.03) fail('The connection is lost before anything is written')
        for (const roomId of [...new Set(posts.map(({ message }) => message.roomId))].sort()) {
          await lock(roomId, lockTimeoutMs).catch((error: unknown) => {
            for (const { message } of posts) if (lockTimeoutMs > 1_000) disturbed.add(message.id)
            throw error
          })
          locked.push(roomId)
        }
        const rows = posts
          .map(({ authorId, message: { roomId } }) => ({ roomId, authorId, head: roomOf(roomId).committed.length }))
          .filter(({ roomId, authorId }) => members.has(`${roomId} ${authorId}`))
        if (mistake === 'takes the number outside the transaction') locked.splice(0).forEach(unlock)
        const isRefused = rows.length < posts.length
        return mistake === 'uses a number for a refused post' && isRefused
          ? rows.map((row) => ({ ...row, head: row.head + 1 }))
          : rows
      },
      async insertMessages(messages) {
        await sleep(chance() * 3)
        if (messages.some(({ message }) => message.body === refusedBody)) throw new Error('violates a check constraint')
        const isAgain = mistake === 'stores a repeated message again'
        const rows = messages
          .filter((post, index) => isAgain || (!isStored(post) && messages.findIndex(isSame(post)) === index))
          .map(({ seq, authorId, message }) => ({
            ...{ seq, authorId, authorName: authorId, authorAvatarKey: null, authorIsBot: false },
            ...{ roomId: message.roomId, id: message.id, body: message.body, replyTo: null, version: 0 },
            ...{ postedAt: new Date(seq), editedAt: null, deletedAt: null, mentions: [], reactions: [] },
          }))
        pending.push(...rows)
        return rows
      },
    }
    const commit = async () => {
      const mine = fate()
      await sleep(mine < 0.03 ? 1_200 + chance() * 3_000 : chance() * 10)
      if (mine > 0.97) fail('The connection is lost before the commit')
      const isTaken = (row: Row) => roomOf(row.roomId).committed.some(({ seq }) => seq === row.seq)
      if (pending.some(isTaken)) throw new Error('duplicate key')
      for (const row of pending) roomOf(row.roomId).committed.push(row)
      if (mine > 0.94) fail('The connection is lost with the answer to the commit')
    }
    try {
      const result = await work(tx)
      if (mistake === 'acknowledges before the commit') {
        const held = locked.splice(0)
        void commit()
          .catch(() => undefined)
          .finally(() => held.forEach(unlock))
        return result
      }
      await commit()
      return result
    } finally {
      locked.splice(0).forEach(unlock)
    }
  }

  return {
    rooms,
    disturbed,
    calm: () => void (isCalm = true),
    isMember: (roomId: string, authorId: string) => members.has(`${roomId} ${authorId}`),
    db: {
      transaction,
      async sentBefore(posts: Sent[]): Promise<Row[]> {
        await sleep(chance() * 3)
        const all = [...rooms.values()].flatMap(({ committed }) => committed)
        return all.filter((row) =>
          posts.some(({ authorId, message }) => row.authorId === authorId && row.id === message.id),
        )
      },
    },
    /** Another transaction keeps the room locked for some time. */
    async keepLocked(roomId: string, ms: number) {
      await lock(roomId, 60_000)
      await sleep(ms)
      unlock(roomId)
    },
    async leave(roomId: string, authorId: string) {
      await lock(roomId, 60_000)
      members.delete(`${roomId} ${authorId}`)
      unlock(roomId)
    },
  }
}

const toMessage = ({ seq, id, authorId, body, replyTo, postedAt, version }: Queries.MessageRow): Message => ({
  ...{ seq, id, body, replyTo, version, author: { id: authorId, name: authorId, avatarUrl: null } },
  ...{ postedAt: postedAt.toISOString(), editedAt: null, deleted: false, mentions: [], reactions: [] },
})

/** The store of a replica, with a mistake or without. */
function createStore(world: World, mistake?: Mistake): PostStore {
  const store = createPostStore(world.db as unknown as Database, toMessage)
  return {
    find: store.find,
    async write(posts, lockTimeoutMs) {
      if (mistake === 'writes the posts of a batch in another order')
        return (await store.write(posts.toReversed(), lockTimeoutMs)).reverse()
      try {
        return await store.write(posts, lockTimeoutMs)
      } catch (error) {
        if (mistake === 'stops writing to a room after a lock timeout' && error instanceof LockTimeout)
          return new Promise(() => undefined)
        const isRefusal = error instanceof Error && error.message.startsWith('violates')
        if (mistake === 'refuses a batch because of one row' && isRefusal)
          throw new Unavailable('a row was refused', error)
        throw error
      }
    },
  }
}

/** Runs one interleaving. Returns the promises that it broke. */
async function simulate(seed: number, mistake?: Mistake): Promise<string[]> {
  const chance = createRandom(seed)
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(chance() * items.length)]!
  const world = createWorld(chance, mistake)
  const broken = new Set<string>()
  const told = new Set<string>()
  /** Ids of messages that were sent twice at the same time: either request may be the faster one. */
  const doubled = new Set<string>()
  const acknowledged: { replica: number; attempt: number; nth: number; sent: Sent; seq: number }[] = []
  const committed = (roomId: string) => world.rooms.get(roomId)!.committed

  const replicas = [0, 1].map((number) => {
    const read = new Map(roomIds.map((id) => [id, new Set<number>()]))
    let hear: (hint: string) => void = () => undefined
    let flushes = 0
    const news = createNews({
      hints: {
        ...createNoHints(),
        // Hints can be late or lost.
        publish: (hint) => void (chance() < 0.9 && sleep(chance() * 50).then(() => replicas[1 - number]!.hear(hint))),
        subscribe: (receiver) => void (hear = receiver),
      },
      here: {
        deliver: () => undefined,
        deliverPosted(roomId, frames) {
          flushes += 1
          if (mistake === 'sends no frames to a room' && flushes % 5 === 0) return
          // Frames take time, so that rooms rest.
          spentMs += chance() * 4
          for (const { seq } of frames.flatMap((frame) => unpackPosted(JSON.parse(frame) as PostedNews).messages))
            read.get(roomId)!.add(seq)
        },
        note: (...numbers) => watch.note(...numbers),
      },
    })
    const watch = createHeadWatch({
      sockets: { roomIds: () => roomIds, deliver: news.deliver },
      messages: {
        headsOf: async (ids) => ids.map((roomId) => ({ roomId, head: committed(roomId).length, version: 0 })),
        missing: async (_by, rooms, limit) =>
          new Map(
            rooms.map(({ roomId, after }) => [
              roomId,
              committed(roomId)
                .slice(after, after + limit)
                .map(toMessage),
            ]),
          ),
      },
    })
    let commits = 0
    const posting = createPosting({
      store: createStore(world, mistake),
      tell(roomId, messages) {
        commits += 1
        if (mistake === 'sends no news after a commit' && commits % 5 === 0) return
        for (const { seq } of mistake === 'sends news twice' ? [...messages, ...messages] : messages) {
          const place = `${roomId} ${seq}`
          if (told.has(place)) broken.add('sends each message once')
          told.add(place)
        }
        news.send({ type: 'messages:posted', to: [roomId], payload: { roomId, messages } })
      },
      answerMs: 5_000,
    })
    return { posting, watch, read, hear: (hint: string) => hear(hint) }
  })

  /** Sends as a client does: with the same id again, until the server accepts or refuses the message. */
  async function send(sent: Sent, nth: number, first: number): Promise<void> {
    const { roomId, id, body } = sent.message
    for (let attempt = 0; attempt < 30; attempt += 1) {
      const replica = (first + attempt) % 2
      const startedAt = performance.now()
      try {
        const { seq } = await replicas[replica]!.posting.post(sent.authorId, sent.message)
        const row = committed(roomId)[seq - 1]
        if (row?.id !== id || row.authorId !== sent.authorId) broken.add('acknowledges after the commit')
        if (!told.has(`${roomId} ${seq}`) && !world.disturbed.has(id))
          broken.add('tells each room before it acknowledges')
        acknowledged.push({ replica, attempt, nth, sent, seq })
        return
      } catch (error) {
        if (error instanceof Unavailable) {
          const isLate = performance.now() - startedAt >= 4_999
          if (!isLate && !world.disturbed.has(id)) broken.add('refuses no post because of another post')
          await sleep(chance() * 200)
          continue
        }
        const isStranger = error instanceof ChatError && !world.isMember(roomId, sent.authorId)
        if (!isStranger && body !== refusedBody) broken.add('refuses no post without a reason')
        return
      }
    }
    broken.add('stores each message in the end')
  }

  await Promise.all(replicas.map(({ watch }) => watch.look()))
  const under: Promise<unknown>[] = []
  for (let nth = 0; nth < 24; nth += 1) {
    if (chance() < 0.5) await sleep(chance() * 30)
    const dice = chance()
    if (dice < 0.05) under.push(world.keepLocked(pick(roomIds), chance() * 3_000))
    else if (dice < 0.08) under.push(world.leave(pick(roomIds), pick(authorIds)))
    const body = chance() < 0.04 ? refusedBody : `message ${nth}`
    const sent = { authorId: pick(authorIds), message: { roomId: pick(roomIds), id: `id ${nth}`, body } }
    const first = Math.floor(chance() * 2)
    under.push(send(sent, nth, first))
    // The same message once more at the same time, as another tab may send it.
    if (chance() < 0.1) {
      doubled.add(sent.message.id)
      under.push(send(sent, nth, chance() < 0.5 ? first : 1 - first))
    }
  }
  await Promise.all(under)

  // After the faults, each replica can write to each room again.
  world.calm()
  const probes = roomIds.flatMap((roomId) =>
    replicas.map(async ({ posting }, number) => {
      const authorId = authorIds.find((id) => world.isMember(roomId, id))
      if (authorId === undefined) return
      await posting
        .post(authorId, { roomId, id: `probe ${roomId} ${number}`, body: 'there?' })
        .catch(() => broken.add('writes to each room again'))
    }),
  )
  await Promise.all(probes)

  for (let look = 0; look < 3; look += 1) {
    await sleep(100)
    await Promise.all(replicas.map(({ watch }) => watch.look()))
  }
  for (const roomId of roomIds) {
    const rows = committed(roomId)
    const seqs = rows.map(({ seq }) => seq)
    if (seqs.some((seq, index) => seq !== index + 1)) broken.add('numbers commits without gaps')
    for (const { read } of replicas)
      if (String([...read.get(roomId)!].sort((a, b) => a - b)) !== String(seqs)) broken.add('reaches each reader')
  }
  const all = roomIds.flatMap(committed)
  if (new Set(all.map(({ id }) => id)).size !== all.length) broken.add('stores each message once')
  for (const { sent, seq } of acknowledged)
    if (committed(sent.message.roomId)[seq - 1]?.id !== sent.message.id) broken.add('keeps each acknowledged message')
  for (const early of acknowledged)
    for (const late of acknowledged) {
      const isSameLine =
        early.sent.authorId === late.sent.authorId &&
        early.sent.message.roomId === late.sent.message.roomId &&
        early.replica === late.replica &&
        !doubled.has(early.sent.message.id) &&
        !doubled.has(late.sent.message.id)
      if (isSameLine && early.attempt + late.attempt === 0 && early.nth < late.nth && early.seq > late.seq)
        broken.add('keeps the order of a sender')
    }
  return [...broken]
}

describe('posting, simulated', () => {
  beforeAll(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const now = performance.now.bind(performance)
    // A spy would keep each of its calls, which are too many.
    performance.now = () => now() + spentMs
  })
  afterAll(() => void vi.useRealTimers())

  async function run(seed: number, mistake?: Mistake): Promise<string[]> {
    const story = simulate(seed, mistake)
    let isOver = false
    void story.finally(() => (isOver = true)).catch(() => undefined)
    while (!isOver) {
      await vi.advanceTimersToNextTimerAsync()
      if (vi.getTimerCount() === 0) await Promise.resolve()
    }
    vi.clearAllTimers()
    return story
  }

  it(`keeps its promises in ${simulations} interleavings`, { timeout: 600_000 + simulations * 100 }, async () => {
    for (let seed = 1; seed <= simulations; seed += 1) expect(await run(seed), `seed ${seed}`).toEqual([])
  })

  it.each(mistakes)('notices an implementation that %s', { timeout: 600_000 }, async (mistake) => {
    const broken: string[] = []
    for (let seed = 1; seed <= 500 && broken.length === 0; seed += 1) broken.push(...(await run(seed, mistake)))
    expect(broken).not.toEqual([])
  })
})
