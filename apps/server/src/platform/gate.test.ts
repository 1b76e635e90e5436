import { describe, expect, it } from 'vitest'
import { createGate, createTurns } from './gate.js'

/** Work that ends when told to. */
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
    /** Ends the one that began first of those still running, and lets the next begin. */
    async end() {
      ends.shift()?.()
      await new Promise(setImmediate)
    },
  }
}

describe('a gate', () => {
  it('lets as many in as it is wide, and the others in the order they came', async () => {
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

  it('lets keys take turns, however much one of them sends', async () => {
    const { begun, work, end } = task()
    const gate = createGate(1)
    for (let each = 0; each < 50; each += 1) void gate(work('crowd'), { key: 'crowd' })
    void gate(work('ann'), { key: 'ann' })
    await end()
    await end()
    expect(begun).toContain('ann')
    expect(begun).toHaveLength(3)
  })

  it('refuses what finds no place to wait, and says when to come back', async () => {
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

  it('forgets what nobody waits for any more, and keeps its place for others', async () => {
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

  it('goes on after work that fails', async () => {
    const gate = createGate(1)
    await expect(gate(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await gate(async () => 'yes')).toBe('yes')
  })
})

describe('turns', () => {
  it('run what has one key in order, and keys beside each other', async () => {
    const { begun, work, end } = task()
    const inTurn = createTurns({ waiting: 1 })
    const all = [inTurn('one', work('a')), inTurn('one', work('b')), inTurn('two', work('c'))]
    expect(begun).toEqual(['a', 'c'])
    await expect(inTurn('one', work('d'))).rejects.toMatchObject({ code: 'unavailable' })
    for (let each = 0; each < 3; each += 1) await end()
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c'])
  })
})
