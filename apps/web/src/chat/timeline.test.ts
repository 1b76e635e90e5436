import { describe, expect, it } from 'vitest'

import type { Message, Page } from '@chat/server/contract'

import { createRandom } from '../../../../tools/test/random.js'
import { createTimeline, type Timeline } from './timeline.js'

const says = (seq: number, change: Partial<Message> = {}): Message => ({
  seq,
  id: `id-${seq}`,
  author: { id: 'ann', name: 'Ann', avatarUrl: null },
  body: `message ${seq}`,
  postedAt: new Date(1_700_000_000_000 + seq).toISOString(),
  replyTo: null,
  editedAt: null,
  deleted: false,
  mentions: [],
  reactions: [],
  version: 0,
  ...change,
})

const run = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => says(from + i))
const page = (from: number, to: number, head = to): Page => ({
  messages: run(from, to),
  head,
  version: 0,
})
const edited = (seq: number, version: number) => says(seq, { body: `version ${version}`, version })

describe('a timeline', () => {
  it('shows nothing before the newest page, and then also messages that arrived earlier', () => {
    const timeline = createTimeline()
    timeline.receive([says(4)])
    expect(timeline.loaded).toBe(false)
    expect(timeline.messages).toEqual([])
    expect(timeline.messagesMissed).toBe(0)
    timeline.load(page(1, 3))
    expect(timeline.messages).toEqual(run(1, 4))
  })

  it('is complete, with nothing missing, in an empty room', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 0))
    expect(timeline.loaded).toBe(true)
    expect(timeline.complete).toBe(true)
    expect(timeline.messagesMissed).toBe(0)
    timeline.receive([says(1)])
    expect(timeline.messages).toEqual(run(1, 1))
  })

  it('holds messages after a gap until the gap is filled', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 3))
    timeline.receive([says(6), says(5)])
    expect(timeline.messages).toEqual(run(1, 3))
    expect(timeline.held.map(({ seq }) => seq)).toEqual([5, 6])
    expect([timeline.last, timeline.messagesMissed > 0]).toEqual([3, true])
    timeline.receive([says(4)])
    expect(timeline.messages).toEqual(run(1, 6))
    expect(timeline.held).toEqual([])
    expect(timeline.messagesMissed).toBe(0)
  })

  it('notices by the head of the room that the last message is missing', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 3))
    timeline.receive([], 4)
    expect([timeline.last, timeline.messagesMissed > 0]).toEqual([3, true])
  })

  it('grows backwards with pages, up to the first message', () => {
    const timeline = createTimeline()
    timeline.load(page(8, 10))
    expect(timeline.complete).toBe(false)
    timeline.receivePage(page(5, 7, 10))
    expect(timeline.messages).toEqual(run(5, 10))
    timeline.receivePage(page(1, 4, 10))
    expect(timeline.complete).toBe(true)
  })

  it('shows a message once, however often it arrives', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 3))
    timeline.receive([says(3), says(4)])
    timeline.receive([says(4)])
    timeline.load(page(2, 4))
    expect(timeline.messages).toEqual(run(1, 4))
  })

  it('keeps an edit that arrived before a page with the older text', () => {
    const timeline = createTimeline()
    timeline.load(page(4, 5))
    timeline.receive([edited(3, 1), edited(6, 1)])
    timeline.receive([says(3), says(6)])
    expect(timeline.messages.map(({ body }) => body)).toEqual(['version 1', 'message 4', 'message 5', 'version 1'])
    timeline.receive([edited(6, 2)])
    timeline.receive([edited(6, 1)])
    expect(timeline.get(6)?.body).toBe('version 2')
  })

  it('never brings back a deleted message', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 2))
    timeline.receive([says(2, { body: '', deleted: true, version: 2 })])
    timeline.receive([edited(2, 1)])
    expect(timeline.get(2)?.deleted).toBe(true)
  })

  it('restarts at the newest page when it is far behind', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 50))
    timeline.load(page(951, 1000))
    expect(timeline.messages).toEqual(run(951, 1000))
    expect(timeline.messagesMissed).toBe(0)
  })

  it('fills a small gap instead, so that the reader keeps the position', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 50))
    timeline.load(page(101, 150))
    expect(timeline.messages).toEqual(run(1, 50))
    expect([timeline.last, timeline.messagesMissed > 0]).toEqual([50, true])
  })

  it('keeps the run in which the reader has scrolled back, also when the room is far ahead', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 50))
    timeline.load(page(951, 1000), true)
    expect(timeline.messages).toEqual(run(1, 50))
    expect([timeline.live, timeline.messagesMissed]).toEqual([false, 0])
    expect(timeline.show(1000, true)).toBe(true)
    expect(timeline.messages).toEqual(run(951, 1000))
  })

  it('has several runs, shows one of them, and joins runs that meet', () => {
    const timeline = createTimeline()
    timeline.load(page(951, 1000))
    expect(timeline.show(500)).toBe(false)
    timeline.receivePage(page(476, 525, 1000))
    expect(timeline.messages).toEqual(run(951, 1000))
    expect(timeline.show(500)).toBe(true)
    expect(timeline.messages).toEqual(run(476, 525))
    expect([timeline.live, timeline.messagesMissed, timeline.held]).toEqual([false, 0, []])
    timeline.receive([says(1001)])
    expect(timeline.messages).toEqual(run(476, 525))
    timeline.receivePage(page(526, 950, 1001))
    expect(timeline.messages).toEqual(run(476, 1001))
    expect(timeline.live).toBe(true)
  })

  it('knows how many changes are missing, in any message', () => {
    const timeline = createTimeline()
    timeline.load({ ...page(1, 50), version: 4 })
    expect([timeline.version, timeline.changesMissed]).toEqual([4, 0])
    timeline.receive([edited(10, 7)])
    expect([timeline.version, timeline.changesMissed]).toEqual([4, 3])
    timeline.receive([edited(11, 5)])
    expect([timeline.version, timeline.changesMissed]).toEqual([5, 2])
    timeline.mend({ messages: [edited(12, 6), edited(10, 7)], head: 50, version: 7 }, 5)
    expect([timeline.version, timeline.changesMissed]).toEqual([7, 0])
    timeline.receive([], 50, 8)
    expect(timeline.changesMissed).toBe(1)
  })

  it('does not take an older page for newer changes', () => {
    const timeline = createTimeline()
    timeline.load({ ...page(51, 100), version: 0 })
    timeline.receive([edited(60, 1)])
    timeline.trim(10)
    timeline.receivePage({ ...page(41, 90), version: 0 })
    expect([timeline.get(60)?.body, timeline.changesMissed]).toEqual(['message 60', 1])
    timeline.mend({ messages: [edited(60, 1)], head: 100, version: 1 }, 0)
    expect([timeline.get(60)?.body, timeline.changesMissed]).toEqual(['version 1', 0])
  })

  it('accepts answers without versions from a server of an older release', () => {
    const timeline = createTimeline()
    const old = <T>(it: T) => ({ ...it, version: undefined as unknown as number })
    timeline.load(old({ ...page(1, 3), messages: run(1, 3).map(old) }))
    timeline.receive([old(says(2, { body: 'changed' }))])
    expect(timeline.messages.map(({ body }) => body)).toEqual(['message 1', 'changed', 'message 3'])
    expect(timeline.changesMissed).toBe(0)
  })

  it('can be trimmed and loaded again', () => {
    const timeline = createTimeline()
    timeline.load(page(1, 50))
    timeline.trim(10)
    expect(timeline.messages).toEqual(run(41, 50))
    expect(timeline.complete).toBe(false)
    timeline.receivePage(page(1, 40, 50))
    expect(timeline.messages).toEqual(run(1, 50))
  })
})

/**
 * Simulates a room and a reader whose connection delays, loses, repeats and reorders everything. Calls `look` after
 * every step.
 */
const tell = (seed: number, steps: number, look: (timeline: Timeline, history: readonly Message[]) => void) => {
  const random = createRandom(seed)
  const upTo = (n: number) => Math.floor(random() * n)
  const history: Message[] = []
  const timeline = createTimeline()
  let version = 0
  let connected = true
  // Events and answers that have not arrived yet. An answer has the state of the server when it was sent.
  let onTheWay: (() => void)[] = []

  const answer = (messages: Message[]): Page => ({ messages, head: history.length, version })
  const around = (seq: number, limit: number) => answer(history.slice(Math.max(0, seq - 1 - limit), seq + limit))
  const news = (deliver: () => void) => {
    if (!connected || random() < 0.15) return
    onTheWay.push(deliver)
    if (random() < 0.1) onTheWay.push(deliver)
  }
  const change = (seq: number, to: Partial<Message>) => {
    const message = { ...history[seq - 1]!, ...to, version: ++version }
    history[seq - 1] = message
    news(() => timeline.receive([message]))
  }
  const fetchNewest = (reading = false) => {
    const page = answer(history.slice(-5 - upTo(10)))
    onTheWay.push(() => timeline.load(page, reading))
  }
  const fetch = (page: Page) => onTheWay.push(() => timeline.receivePage(page))
  const fetchAfter = (after: number) => fetch(answer(history.slice(after, after + 3 + upTo(5))))
  const fetchBefore = (before: number) => fetch(answer(history.slice(Math.max(0, before - 6), before - 1)))
  const fetchChanges = () => {
    const after = timeline.version
    const changes = history.filter((message) => message.version > after).sort((a, b) => a.version - b.version)
    const page = answer(changes.slice(0, 1 + upTo(8)))
    onTheWay.push(() => timeline.mend(page, after))
  }
  const deliver = (which: number) => {
    const [arrived] = onTheWay.splice(which, 1)
    arrived?.()
    look(timeline, history)
  }

  fetchNewest()
  for (let step = 0; step < steps; step++) {
    const what = random()
    const some = history[upTo(history.length)]
    if (what < 0.25) {
      const messages = Array.from({ length: 1 + upTo(4) }, () => {
        history.push(says(history.length + 1))
        return history.at(-1)!
      })
      news(() => timeline.receive(messages))
    } else if (what < 0.36 && some && !some.deleted) change(some.seq, { body: `version ${version + 1}` })
    else if (what < 0.4 && some && !some.deleted) change(some.seq, { body: '', deleted: true })
    else if (what < 0.43) {
      connected = false
      onTheWay = onTheWay.filter(() => random() < 0.5)
    } else if (what < 0.47) {
      connected = true
      fetchNewest(random() < 0.5)
    } else if (what < 0.52) {
      const [head, newest] = [history.length, version]
      news(() => timeline.receive([], head, newest))
    } else if (what < 0.56 && timeline.messagesMissed > 0) fetchAfter(timeline.last)
    else if (what < 0.6 && timeline.changesMissed > 0) fetchChanges()
    else if (what < 0.64 && timeline.messages[0]) fetchBefore(timeline.messages[0].seq)
    else if (what < 0.66 && some) {
      if (!timeline.show(some.seq)) {
        const page = around(some.seq, 1 + upTo(3))
        onTheWay.push(() => {
          timeline.receivePage(page)
          timeline.show(some.seq)
        })
      }
    } else if (what < 0.67) timeline.trim(1 + upTo(20))
    else if (what < 0.68 && timeline.loaded) {
      const page = some && random() < 0.5 ? around(some.seq, 3) : answer(history.slice(-8))
      onTheWay.push(() => timeline.restart(page))
    } else deliver(upTo(onTheWay.length))
    look(timeline, history)
  }

  // At the end the connection works again: everything arrives, and the reader loads the missing messages.
  connected = true
  while (onTheWay.length) deliver(upTo(onTheWay.length))
  const newest = answer(history.slice(-10))
  timeline.receivePage(newest)
  timeline.load(newest)
  timeline.show(history.length, true)
  for (;;) {
    if (timeline.changesMissed > 0) fetchChanges()
    else if (timeline.messagesMissed > 0) fetchAfter(timeline.last)
    else if (!timeline.complete) fetchBefore(timeline.messages[0]!.seq)
    else break
    deliver(0)
  }
  return { shown: timeline.messages, history }
}

describe('a timeline with a bad connection', () => {
  it('shows a run without holes at every step, and in the end the whole history with every change', () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const { shown, history } = tell(seed, 100, ({ messages }) => {
        const first = messages[0]?.seq ?? 0
        const broken = messages.findIndex(({ seq }, place) => seq !== first + place)
        if (broken >= 0) expect.fail(`seed ${seed}: after ${messages[broken - 1]!.seq} comes ${messages[broken]!.seq}`)
      })
      expect(shown, `seed ${seed}`).toEqual(history)
    }
  })

  it('has all changes up to its version in the loaded messages', () => {
    for (let seed = 1; seed <= 1000; seed++) {
      tell(seed, 100, (timeline, history) => {
        // A message that has changed again after this version is still missing.
        const stale = history.find(
          ({ seq, version }) =>
            version <= timeline.version && timeline.get(seq)?.version !== version && timeline.get(seq),
        )
        if (timeline.loaded && stale) expect.fail(`seed ${seed}: ${stale.seq} has not its version ${stale.version}`)
      })
    }
  })

  it('never loses messages at its end, unless the reader jumps', () => {
    for (let seed = 1; seed <= 300; seed++) {
      let last = 0
      tell(seed, 80, ({ messages, live }) => {
        if (!live) last = 0
        if (!live) return
        const now = messages.at(-1)?.seq ?? last
        if (now < last) expect.fail(`seed ${seed}: ${last} was on the screen, now it ends with ${now}`)
        last = now
      })
    }
  })
})
