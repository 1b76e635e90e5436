import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLoader } from './loader.js'

describe('a loader', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** Each load ends when the test says so. */
  function setting(options: { keysAtOnce?: number } = {}) {
    const loads: { keys: string[]; end: (error?: Error) => void }[] = []
    const find = createLoader<string, string>({
      ...options,
      load: (keys) =>
        new Promise((resolve, reject) =>
          loads.push({
            keys,
            end: (error) => (error === undefined ? resolve(keys.map((key) => key.toUpperCase())) : reject(error)),
          }),
        ),
    })
    return { loads, find }
  }
  const soon = () => vi.advanceTimersByTimeAsync(0)

  it('asks a lone question at once', async () => {
    const { loads, find } = setting()
    const answer = find('a')
    expect(loads.map(({ keys }) => keys)).toEqual([['a']])
    loads[0]!.end()
    expect(await answer).toBe('A')
  })

  it('asks together what arrives meanwhile, equal questions once, and gives each its answer', async () => {
    const { loads, find } = setting()
    const first = find('a')
    const later = Promise.all(['b', 'c', 'b', 'a'].map(find))
    loads[0]!.end()
    await first
    await soon()
    // The question about a that came later is asked again: its answer must not be older than itself.
    expect(loads.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c', 'a']])
    loads[1]!.end()
    expect(await later).toEqual(['B', 'C', 'B', 'A'])
  })

  it('asks no more keys at once than it may', async () => {
    const { loads, find } = setting({ keysAtOnce: 2 })
    const answers = Promise.all(['a', 'b', 'c', 'd'].map(find))
    for (let n = 0; n < 3; n += 1) {
      await vi.advanceTimersByTimeAsync(300)
      loads[n]!.end()
    }
    expect(await answers).toEqual(['A', 'B', 'C', 'D'])
    expect(loads.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c'], ['d']])
  })

  it('tells a failure to those who asked together, and to nobody later', async () => {
    const { loads, find } = setting()
    const failing = find('a')
    const later = find('b')
    loads[0]!.end(new Error('no'))
    await expect(failing).rejects.toThrow('no')
    await soon()
    loads[1]!.end()
    expect(await later).toBe('B')
  })

  it('does not wait for a statement that hangs', async () => {
    const { loads, find } = setting()
    const stuck = find('a')
    const later = find('b')
    await vi.advanceTimersByTimeAsync(1_000)
    loads[1]!.end()
    expect(await later).toBe('B')
    loads[0]!.end()
    expect(await stuck).toBe('A')
  })

  it('rests after a crowd, so that a storm of questions becomes a few statements', async () => {
    let statements = 0
    const find = createLoader<number, number>({
      async load(keys) {
        statements += 1
        await new Promise((resolve) => setTimeout(resolve, 3))
        return keys
      },
    })
    const answers = []
    for (let n = 0; n < 2_000; n += 1) {
      answers.push(find(n))
      if (n % 2 === 0) await vi.advanceTimersByTimeAsync(1)
    }
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 2_000 }, (_, n) => n))
    expect(statements).toBeLessThan(20)
  })
})
