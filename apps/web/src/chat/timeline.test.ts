import { describe, expect, it } from 'vitest'

import type { Message, Page } from '@chat/server/contract'

import { createTimeline } from './timeline.js'

const says = (seq: number, change: Partial<Message> = {}): Message => ({
  seq,
  id: `id-${seq}`,
  author: { id: 'ann', name: 'Ann', avatarUrl: null },
  body: `message ${seq}`,
  postedAt: new Date(1_700_000_000_000 + seq).toISOString(),
  replyTo: null,
  editedAt: null,
  deleted: false,
  ...change,
})

const run = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => says(from + i))
const page = (from: number, to: number, head = to): Page => ({ messages: run(from, to), head })
const edited = (seq: number, version: number) =>
  says(seq, { body: `version ${version}`, editedAt: new Date(1_800_000_000_000 + version).toISOString() })

describe('a timeline', () => {
  it('shows nothing before the newest page is there, and then what came first as well', () => {
    const timeline = createTimeline()
    timeline.receive([says(4)])
    expect(timeline.loaded).toBe(false)
    expect(timeline.messages).toEqual([])
    expect(timeline.gap).toBeNull()
    timeline.load(page(1, 3))
    expect(timeline.messages).toEqual(run(1, 4))
  })

  it('is complete, and at rest, in a room where nobody has spoken', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 0))
    expect(timeline.loaded).toBe(true)
    expect(timeline.complete).toBe(true)
    expect(timeline.gap).toBeNull()
    timeline.receive([says(1)])
    expect(timeline.messages).toEqual(run(1, 1))
  })

  it('keeps what is beyond a gap aside until the gap is filled', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 3))
    timeline.receive([says(6), says(5)])
    expect(timeline.messages).toEqual(run(1, 3))
    expect(timeline.held.map(({ seq }) => seq)).toEqual([5, 6])
    expect(timeline.gap).toBe(3)
    timeline.receive([says(4)])
    expect(timeline.messages).toEqual(run(1, 6))
    expect(timeline.held).toEqual([])
    expect(timeline.gap).toBeNull()
  })

  it('notices from the head of the room that the last message got lost', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 3))
    timeline.receive([], 4)
    expect(timeline.gap).toBe(3)
  })

  it('grows backwards with pages of history, up to the first message', () => {
    const timeline = createTimeline()
    timeline.load(page(8, 10))
    expect(timeline.complete).toBe(false)
    timeline.receive(page(5, 7).messages)
    expect(timeline.messages).toEqual(run(5, 10))
    timeline.receive(page(1, 4).messages)
    expect(timeline.complete).toBe(true)
  })

  it('shows a message once however often it comes', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 3))
    timeline.receive([says(3), says(4)])
    timeline.receive([says(4)])
    timeline.load(page(2, 4))
    expect(timeline.messages).toEqual(run(1, 4))
  })

  it('keeps an edit that overtook the page with the older text', () => {
    const timeline = createTimeline()
    timeline.load(page(4, 5))
    timeline.receive([edited(3, 1), edited(6, 1)])
    timeline.receive([says(3), says(6)])
    expect(timeline.messages.map(({ body }) => body)).toEqual(['version 1', 'message 4', 'message 5', 'version 1'])
    timeline.receive([edited(6, 2)])
    timeline.receive([edited(6, 1)])
    expect(timeline.get(6)?.body).toBe('version 2')
  })

  it('lets nothing bring a deleted message back', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 2))
    timeline.receive([says(2, { body: '', deleted: true })])
    timeline.receive([edited(2, 9)])
    expect(timeline.get(2)?.deleted).toBe(true)
  })

  it('begins anew at the newest page when it has fallen far behind', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 50))
    timeline.load(page(951, 1000))
    expect(timeline.messages).toEqual(run(951, 1000))
    expect(timeline.gap).toBeNull()
  })

  it('fills a small gap instead, so that nobody loses the place', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 50))
    timeline.load(page(101, 150))
    expect(timeline.messages).toEqual(run(1, 50))
    expect(timeline.gap).toBe(50)
  })

  it('can be trimmed and grown again', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 50))
    timeline.trim(10)
    expect(timeline.messages).toEqual(run(41, 50))
    expect(timeline.complete).toBe(false)
    timeline.receive(run(1, 40))
    expect(timeline.messages).toEqual(run(1, 50))
  })
})

/** mulberry32: the same seed gives the same story. */
const dice = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

/**
 * A room, a line that delays, loses, repeats and reorders everything, and a reader behind it. `look` is called
 * after every step with what is on the screen.
 */
const tell = (seed: number, steps: number, look: (shown: readonly Message[]) => void) => {
  const random = dice(seed)
  const upTo = (n: number) => Math.floor(random() * n)
  const history: Message[] = []
  const timeline = createTimeline()
  let versions = 0
  let connected = true
  // What is on its way to the reader. Requests carry what the server knew when it answered.
  let onTheWay: (() => void)[] = []

  const newest = (limit: number): Page => ({ messages: history.slice(-limit), head: history.length })
  const news = (deliver: () => void) => {
    if (!connected || random() < 0.15) return
    onTheWay.push(deliver)
    if (random() < 0.1) onTheWay.push(deliver)
  }
  const change = (message: Message) => {
    history[message.seq - 1] = message
    news(() => timeline.receive([message]))
  }
  const fetchNewest = () => {
    const answer = newest(5 + upTo(10))
    onTheWay.push(() => timeline.load(answer))
  }
  const fetchAfter = (after: number) => {
    const answer = history.slice(after, after + 3 + upTo(5))
    const head = history.length
    onTheWay.push(() => timeline.receive(answer, head))
  }
  const fetchBefore = (before: number) => {
    const answer = history.slice(Math.max(0, before - 6), before - 1)
    onTheWay.push(() => timeline.receive(answer))
  }
  const deliver = (which: number) => {
    const [arrived] = onTheWay.splice(which, 1)
    arrived?.()
    look(timeline.messages)
  }

  fetchNewest()
  for (let step = 0; step < steps; step++) {
    const what = random()
    const some = history[upTo(history.length)]
    if (what < 0.3) {
      const messages = Array.from({ length: 1 + upTo(4) }, () => {
        history.push(says(history.length + 1))
        return history.at(-1)!
      })
      news(() => timeline.receive(messages))
    } else if (what < 0.38 && some && !some.deleted) change(edited(some.seq, ++versions))
    else if (what < 0.42 && some) change({ ...some, body: '', deleted: true })
    else if (what < 0.45) {
      connected = false
      onTheWay = onTheWay.filter(() => random() < 0.5)
    } else if (what < 0.5) {
      connected = true
      fetchNewest()
    } else if (what < 0.55) news(() => timeline.receive([], history.length))
    else if (what < 0.6 && timeline.gap !== null) fetchAfter(timeline.gap)
    else if (what < 0.65 && timeline.messages[0]) fetchBefore(timeline.messages[0].seq)
    else if (what < 0.66) timeline.trim(1 + upTo(20))
    else deliver(upTo(onTheWay.length))
    look(timeline.messages)
  }

  // Then the storm is over: everything arrives, and the reader asks as the page does.
  connected = true
  while (onTheWay.length) deliver(upTo(onTheWay.length))
  fetchNewest()
  while (onTheWay.length) deliver(0)
  while (timeline.gap !== null) {
    fetchAfter(timeline.gap)
    deliver(0)
  }
  while (!timeline.complete) {
    fetchBefore(timeline.messages[0]!.seq)
    deliver(0)
  }
  return { shown: timeline.messages, history }
}

describe('a timeline behind a bad line', () => {
  it('shows an unbroken ascending run at every step, and in the end the history', () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const { shown, history } = tell(seed, 80, (messages) => {
        const first = messages[0]?.seq ?? 0
        const broken = messages.findIndex(({ seq }, place) => seq !== first + place)
        if (broken >= 0) expect.fail(`seed ${seed}: after ${messages[broken - 1]!.seq} comes ${messages[broken]!.seq}`)
      })
      expect(
        shown.map(({ seq }) => seq),
        `seed ${seed}`,
      ).toEqual(history.map(({ seq }) => seq))
    }
  })

  it('never ends earlier than it has ended before', () => {
    for (let seed = 1; seed <= 300; seed++) {
      let last = 0
      tell(seed, 80, (messages) => {
        const now = messages.at(-1)?.seq ?? last
        if (now < last) expect.fail(`seed ${seed}: ${last} was on the screen, now it ends with ${now}`)
        last = now
      })
    }
  })

  it('shows every edit and deletion of the newest page after a reconnect', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { shown, history } = tell(seed, 80, () => undefined)
      expect(shown.slice(-5), `seed ${seed}`).toEqual(history.slice(-5))
    }
  })
})
