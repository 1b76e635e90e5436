// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { createOutbox, Refused, type Outbox, type Outgoing } from './outbox.js'

type Answer = 'stored' | 'lost' | Refused

/** A fake server that gives the prepared answers and records what it receives. */
const createServer = () => {
  const reached: string[] = []
  const answers: Answer[] = []
  const post = async ({ id }: Outgoing) => {
    reached.push(id)
    const answer = answers.shift() ?? 'stored'
    if (answer === 'lost') throw new Error('operation has timed out')
    if (answer instanceof Refused) throw answer
  }
  return { reached, answers, post }
}

let boxes: Outbox[] = []
const openBox = (server: { post: (message: Outgoing) => Promise<void> }, line = { up: true }, accountId = 'ann') => {
  const changed = vi.fn()
  const box = createOutbox({ accountId, post: server.post, isConnected: () => line.up })
  box.subscribe(changed)
  boxes.push(box)
  return Object.assign(box, { changed })
}
const hello = (id: string) => ({ roomId: 'general', id, body: `hello ${id}` })
const ids = (box: Outbox) => box.in('general').map(({ id }) => id)

beforeEach(() => {
  localStorage.clear()
  vi.useFakeTimers()
})
afterEach(() => {
  boxes.forEach((box) => box.close())
  boxes = []
  vi.useRealTimers()
})
/** Runs the timers of the next `ms` milliseconds. */
const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms)

describe('the outbox', () => {
  it('sends in order, and is empty when the server has stored everything', async () => {
    const server = createServer()
    const box = openBox(server)
    box.add(hello('1'))
    box.add(hello('2'))
    box.add(hello('3'))
    expect(ids(box)).toEqual(['1', '2', '3'])
    await pass()
    expect(server.reached).toEqual(['1', '2', '3'])
    expect(ids(box)).toEqual([])
    expect(localStorage).toHaveLength(0)
  })

  it('waits without a connection, survives a reload, and then sends with the same ids', async () => {
    const server = createServer()
    const before = openBox(server, { up: false })
    before.add(hello('1'))
    before.add(hello('2'))
    await pass(120_000)
    expect(server.reached).toEqual([])
    before.close()

    const after = openBox(server)
    expect(ids(after)).toEqual(['1', '2'])
    after.flush()
    await pass()
    expect(server.reached).toEqual(['1', '2'])
    expect(ids(after)).toEqual([])
  })

  it('tries again, less and less often, and keeps the order', async () => {
    const server = createServer()
    server.answers.push('lost', 'lost', 'stored')
    const box = openBox(server)
    box.add(hello('1'))
    await pass()
    expect(server.reached).toEqual(['1'])
    await pass(1000)
    expect(server.reached).toEqual(['1', '1'])
    await pass(1000)
    expect(server.reached).toEqual(['1', '1'])
    await pass(1000)
    expect(server.reached).toEqual(['1', '1', '1'])
    expect(ids(box)).toEqual([])
    box.add(hello('2'))
    await pass()
    expect(server.reached.at(-1)).toBe('2')
  })

  it('sends at once when the connection is back', async () => {
    const fail: (() => void)[] = []
    const reached: string[] = []
    const box = openBox({
      post: ({ id }) => {
        reached.push(id)
        return new Promise((_, reject) => fail.push(() => reject(new Error('operation has timed out'))))
      },
    })
    box.add(hello('1'))
    await pass()
    box.flush()
    fail[0]!()
    await pass()
    expect(reached).toEqual(['1', '1'])
  })

  it('keeps a refused message with the reason, and sends the others', async () => {
    const server = createServer()
    server.answers.push(new Refused('forbidden', 'Join the room first.'), 'stored')
    const box = openBox(server)
    box.add(hello('1'))
    box.add(hello('2'))
    await pass()
    expect(box.in('general')).toMatchObject([{ id: '1', refusal: 'Join the room first.' }])
    await pass(120_000)
    box.flush()
    await pass()
    expect(server.reached).toEqual(['1', '2'])
  })

  it('sends a refused message again on request, also after a reload', async () => {
    const server = createServer()
    server.answers.push(new Refused('invalid', 'Too long.'))
    openBox(server).add(hello('1'))
    await pass()
    const box = openBox(server)
    expect(box.in('general')).toMatchObject([{ id: '1', refusal: 'Too long.' }])
    box.retry('1')
    await pass()
    expect(server.reached).toEqual(['1', '1'])
    expect(ids(box)).toEqual([])
  })

  it.each(['rate_limited', 'unavailable', 'fault'] as const)('tries again after the answer "%s"', async (code) => {
    const server = createServer()
    server.answers.push(new Refused(code, 'Later.'))
    const box = openBox(server)
    box.add(hello('1'))
    await pass()
    expect(box.in('general')[0]).not.toHaveProperty('refusal')
    await pass(1000)
    expect(ids(box)).toEqual([])
  })

  it('removes a message that a live event shows as stored, even if the acknowledgement is lost', async () => {
    const server = createServer()
    const box = openBox(server)
    server.answers.push('lost')
    box.add(hello('1'))
    await pass()
    box.arrived('1')
    await pass(120_000)
    expect(server.reached).toEqual(['1'])
    expect(localStorage).toHaveLength(0)
  })

  it('does not bring back a stored message when a refusal arrives late', async () => {
    let refuse: (error: Refused) => void = () => undefined
    const box = openBox({
      post: () =>
        new Promise((_, reject) => {
          refuse = reject
        }),
    })
    box.add(hello('1'))
    await pass()
    box.arrived('1')
    refuse(new Refused('conflict', 'This id was used in another room.'))
    await pass()
    expect(ids(box)).toEqual([])
    expect(localStorage).toHaveLength(0)
  })

  it('separates the messages of two accounts', async () => {
    openBox(createServer(), { up: false }, 'ann').add(hello('1'))
    expect(ids(openBox(createServer(), { up: false }, 'ben'))).toEqual([])
  })

  it('ignores broken entries in the storage', () => {
    localStorage.setItem('chat.outbox.ann.x', '{"id":')
    localStorage.setItem('chat.outbox.ann.y', '[]')
    expect(ids(openBox(createServer()))).toEqual([])
  })

  it('sends even if the storage is full', async () => {
    const full = vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new Error('quota exceeded')
    })
    const server = createServer()
    const box = openBox(server)
    box.add(hello('1'))
    expect(ids(box)).toEqual(['1'])
    await pass()
    full.mockRestore()
    expect(server.reached).toEqual(['1'])
  })
})

describe('two tabs with one outbox', () => {
  /** Sends the event that the browser sends to the other tabs after a change. */
  const tellOtherTabs = (key: string) =>
    dispatchEvent(new StorageEvent('storage', { key, newValue: localStorage.getItem(key) }))

  it('show the same messages', async () => {
    const here = openBox(createServer(), { up: false })
    const there = openBox(createServer(), { up: false })
    here.add(hello('1'))
    tellOtherTabs('chat.outbox.ann.1')
    expect(ids(there)).toEqual(['1'])
    expect(there.changed).toHaveBeenCalled()
    here.arrived('1')
    tellOtherTabs('chat.outbox.ann.1')
    expect(ids(there)).toEqual([])
  })

  it('never overwrite each other’s messages', () => {
    const here = openBox(createServer(), { up: false })
    const there = openBox(createServer(), { up: false })
    here.add(hello('1'))
    there.add(hello('2'))
    here.add(hello('3'))
    expect(ids(openBox(createServer())).sort()).toEqual(['1', '2', '3'])
  })

  it('send one after the other, in order', async () => {
    // happy-dom has no locks. Like navigator.locks, this queue has one holder at a time.
    let queue: Promise<unknown> = Promise.resolve()
    const request = (_name: string, task: () => Promise<void>) => (queue = queue.then(task))
    vi.stubGlobal('navigator', { ...navigator, locks: { request } })
    const finish: (() => void)[] = []
    const reached: string[] = []
    const server = {
      post: ({ id }: Outgoing) => {
        reached.push(id)
        return new Promise<void>((resolve) => finish.push(resolve))
      },
    }
    const here = openBox(server)
    const there = openBox(server)
    here.add(hello('1'))
    await pass()
    there.add(hello('2'))
    await pass()
    expect(reached).toEqual(['1'])
    finish.shift()!()
    await pass()
    expect(reached).toEqual(['1', '2'])
    vi.unstubAllGlobals()
  })
})
