import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { packPosted, unpackPosted, type Message, type PostedNews } from '../contract.js'
import { createRoomBatches, type RoomFrame } from './room-batches.js'

const roomId = 'a room'
const message = (seq: number, body = `message ${seq}`): Message => ({
  seq,
  id: `id ${seq}`,
  author: { id: 'ann', name: 'Ann', avatarUrl: null },
  body,
  postedAt: '2026-11-30T12:00:00.000Z',
  replyTo: null,
  editedAt: null,
  deleted: false,
  mentions: [],
  reactions: [],
  version: 0,
})
const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => message(from + index))
const received = (messages: Message[], room = roomId): RoomFrame => ({
  roomId: room,
  seqs: messages.map(({ seq }) => seq),
  json: JSON.stringify(packPosted({ roomId: room, messages })),
})

describe('batches of a room', () => {
  /** How long the next frames take to write, in ms. */
  let costMs: number
  /** Time that writing has taken, in ms. Fake timers do not count it. */
  let spentMs: number
  let delivered: { at: number; roomId: string; frames: number[][] }[]
  let passedOn: number[][]
  let batches: ReturnType<typeof createRoomBatches>
  const now = () => Date.now() + spentMs
  const pass = (ms: number) => vi.advanceTimersByTime(ms)
  const seqs = () => delivered.flatMap(({ frames }) => frames.flat())

  beforeEach(() => {
    vi.useFakeTimers({ now: 0 })
    ;[costMs, spentMs, delivered, passedOn] = [4, 0, [], []]
    batches = createRoomBatches({
      now,
      deliver(roomId, frames) {
        const news = frames.map((json) => unpackPosted(JSON.parse(json) as PostedNews))
        delivered.push({
          at: Date.now(),
          roomId,
          frames: news.map(({ messages }) => messages.map(({ seq }) => seq)),
        })
        spentMs += costMs
      },
      passOn: ({ seqs }) => passedOn.push(seqs),
    })
  })
  afterEach(() => vi.useRealTimers())

  it('send a single message at once, and leave no timer when no message follows', () => {
    batches.post(roomId, [message(1)])
    expect(delivered).toEqual([{ at: 0, roomId, frames: [[1]] }])
    pass(1_000)
    batches.post(roomId, [message(2)])
    expect(delivered.at(-1)).toEqual({ at: 1_000, roomId, frames: [[2]] })
    pass(1_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('do not let a room rest when its frames take almost no time', () => {
    costMs = 0.05
    for (const each of run(1, 5)) batches.post(roomId, [each])
    expect(delivered.map(({ frames }) => frames)).toEqual([[[1]], [[2]], [[3]], [[4]], [[5]]])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('share a frame when the room rests, for three times as long as its last frame took', () => {
    batches.post(roomId, [message(1)])
    batches.post(roomId, [message(2)])
    pass(11)
    batches.post(roomId, [message(3)])
    expect(seqs()).toEqual([1])
    pass(1)
    expect(delivered.slice(1)).toEqual([{ at: 12, roomId, frames: [[2, 3]] }])
  })

  it('rest six times as long after a frame of several messages', () => {
    batches.post(roomId, run(1, 2))
    batches.post(roomId, [message(3)])
    pass(23)
    expect(seqs()).toEqual([1, 2])
    pass(1)
    expect(seqs()).toEqual([1, 2, 3])
  })

  it.each([
    ['5 ms at least', 0.5, 5],
    ['50 ms at most', 40, 50],
  ])('rest %s', (_how, cost, restMs) => {
    costMs = cost
    batches.post(roomId, [message(1)])
    batches.post(roomId, [message(2)])
    pass(restMs - 1)
    expect(seqs()).toEqual([1])
    pass(1)
    expect(seqs()).toEqual([1, 2])
  })

  it('rest longer only while the frames of other rooms keep the process busy', () => {
    costMs = 0.3
    // One frame of this cost causes no rest.
    for (let other = 1; other <= 100; other += 1) batches.post(`room ${other}`, [message(1)])
    delivered.length = 0
    batches.post(roomId, [message(1)])
    batches.post(roomId, [message(2)])
    expect(seqs()).toEqual([1])
    pass(24)
    expect(seqs()).toEqual([1])
    pass(26)
    expect(seqs()).toEqual([1, 2])
    pass(1_000)
    batches.post(roomId, [message(3)])
    batches.post(roomId, [message(4)])
    expect(delivered.slice(-2).map(({ at }) => at)).toEqual([1_050, 1_050])
  })

  it('are sent when they are full, in frames of at most 64 messages and 32 K characters', () => {
    batches.post(roomId, [message(1)])
    batches.post(roomId, run(2, 64))
    expect(seqs()).toEqual([1])
    batches.post(roomId, run(65, 70))
    expect(delivered.at(-1)).toEqual({
      at: 0,
      roomId,
      frames: [run(2, 65).map(({ seq }) => seq), [66, 67, 68, 69, 70]],
    })

    batches.post(
      roomId,
      run(71, 80).map(({ seq }) => message(seq, 'x'.repeat(4_000))),
    )
    expect(delivered.at(-1)?.frames).toEqual([
      [71, 72, 73, 74, 75, 76, 77, 78],
      [79, 80],
    ])
  })

  it('pass posted messages to other replicas once, and only deliver received messages', () => {
    batches.post(roomId, [message(1)])
    batches.receive(received([message(2)]))
    batches.post(roomId, [message(3)])
    batches.post(roomId, [message(4)])
    pass(100)
    expect(delivered.map(({ frames }) => frames)).toEqual([[[1]], [[2], [3, 4]]])
    expect(passedOn).toEqual([[1], [3, 4]])
  })

  it('are sent early on flush, before other news of the room', () => {
    batches.post(roomId, [message(1)])
    batches.post(roomId, [message(2)])
    batches.flush(roomId)
    batches.flush(roomId)
    batches.flush('another room')
    expect(seqs()).toEqual([1, 2])
    // The room rests again.
    batches.post(roomId, [message(3)])
    expect(seqs()).toEqual([1, 2])
    pass(12)
    expect(seqs()).toEqual([1, 2, 3])
  })

  it('are sent when the process stops, and later messages do not wait', () => {
    batches.post(roomId, [message(1)])
    batches.post(roomId, [message(2)])
    batches.post('another room', [message(1)])
    batches.post('another room', [message(2)])
    batches.stop()
    batches.post(roomId, [message(3)])
    batches.post(roomId, [message(4)])
    expect(delivered.slice(2).map(({ frames }) => frames)).toEqual([[[2]], [[2]], [[3]], [[4]]])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('deliver each message once, in the order of its replica and within 50 ms, in random orders', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      let state = seed
      const chance = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
      const from = Date.now()
      ;[delivered, passedOn] = [[], []]
      const accepted = new Map<number, number>()
      const own: number[] = []
      const take = (count: number) => {
        const messages = run(accepted.size + 1, accepted.size + count)
        for (const { seq } of messages) accepted.set(seq, Date.now())
        return messages
      }
      for (let step = 0; step < 80; step += 1) {
        costMs = chance() * 8
        const dice = chance()
        if (dice < 0.4) {
          const messages = take(1 + Math.floor(chance() * 3))
          own.push(...messages.map(({ seq }) => seq))
          batches.post(roomId, messages)
        } else if (dice < 0.55) batches.receive(received(take(1)))
        else if (dice < 0.65) batches.flush(roomId)
        else pass(Math.ceil(chance() * 20))
      }
      pass(60)
      expect({ seed, seqs: seqs().sort((a, b) => a - b) }).toEqual({ seed, seqs: [...accepted.keys()] })
      expect({ seed, own: seqs().filter((seq) => own.includes(seq)) }).toEqual({ seed, own })
      expect({ seed, own: passedOn.flat() }).toEqual({ seed, own })
      for (const { at, frames } of delivered)
        for (const seq of frames.flat()) expect(at - (accepted.get(seq) ?? from)).toBeLessThanOrEqual(50)
    }
  })
})
