import { describe, expect, it } from 'vitest'
import { createGate, createTurns } from './gate.js'

/** Tasks that end when `end` is called. */
function task() {
  const begun: string[] = []
  const ends: (() => void)[] = []
  return {
    begun,
    work: (name: string) => () =>
      new Promise<string>((resolve) => {
        begun.push(name)
        ends.push(() => resolve(name))
      }),
    /** Ends the running task that began first, and lets the next one begin. */
    async end() {
      ends.shift()?.()
      await new Promise(setImmediate)
    },
  }
}

describe('a gate', () => {
  it('runs as many tasks at once as its width, and the others in their order', async () => {
    const { begun, work, end } = task()
    const gate = createGate(2)
    const all = ['a', 'b', 'c', 'd'].map((name) => gate(work(name)))
    expect(begun).toEqual(['a', 'b'])
    await end()
    expect(begun).toEqual(['a', 'b', 'c'])
    for (let each = 0; each < 3; each += 1) await end()
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd'])
    expect(gate.isIdle()).toBe(true)
  })

  it('lets keys take turns, however many tasks one of them has', async () => {
    const { begun, work, end } = task()
    const gate = createGate(1)
    for (let each = 0; each < 50; each += 1) void gate(work('crowd'), { key: 'crowd' })
    void gate(work('ann'), { key: 'ann' })
    await end()
    await end()
    expect(begun).toContain('ann')
    expect(begun).toHaveLength(3)
  })

  it('refuses tasks when the queue is full, and says when to retry', async () => {
    const { begun, work, end } = task()
    const gate = createGate(1, { waiting: 3, perKey: 2 })
    const some = ['a', 'b', 'c'].map((name) => gate(work(name), { key: 'crowd' }))
    await expect(gate(work('d'), { key: 'crowd' })).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
    some.push(gate(work('ann'), { key: 'ann' }))
    await expect(gate(work('ben'), { key: 'ben' })).rejects.toMatchObject({ code: 'unavailable' })
    for (let each = 0; each < 4; each += 1) await end()
    await Promise.all(some)
    expect(begun).toEqual(['a', 'b', 'ann', 'c'])
  })

  it('drops a task whose client has gone, and gives its place to others', async () => {
    const { begun, work, end } = task()
    const gate = createGate(1, { waiting: 1 })
    const first = gate(work('first'))
    const leaving = new AbortController()
    const gone = gate(work('gone'), { gone: leaving.signal })
    leaving.abort()
    await expect(gone).rejects.toMatchObject({ name: 'Unavailable' })
    const last = gate(work('last'))
    await end()
    await end()
    await Promise.all([first, last])
    expect(begun).toEqual(['first', 'last'])
    await expect(gate(work('late'), { gone: leaving.signal })).rejects.toMatchObject({ name: 'Unavailable' })
  })

  it('continues after a task that fails', async () => {
    const gate = createGate(1)
    await expect(gate(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await gate(async () => 'yes')).toBe('yes')
  })
})

describe('turns', () => {
  it('run the tasks of one key in order, and different keys at the same time', async () => {
    const { begun, work, end } = task()
    const inTurn = createTurns({ waiting: 1 })
    const all = [inTurn('one', work('a')), inTurn('one', work('b')), inTurn('two', work('c'))]
    expect(begun).toEqual(['a', 'c'])
    await expect(inTurn('one', work('d'))).rejects.toMatchObject({ code: 'unavailable' })
    for (let each = 0; each < 3; each += 1) await end()
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c'])
  })
})
