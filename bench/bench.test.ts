import { describe, expect, it } from 'vitest'
import { chartOf } from './chart.js'
import { objections } from './measurement.js'
import { reportOf, seriesOf, written, type Results } from './report.js'
import { highest, median, quantile } from './statistics.js'
import { expected, isBitten, type Fault } from './teeth.js'

describe('statistics', () => {
  it('finds the median of an odd and of an even number of values, in any order', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(() => median([])).toThrow('nothing')
  })

  it('finds the value that a share of all values does not exceed', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index)
    expect(quantile(values, 0.99)).toBe(99)
    expect(quantile(values, 0.5)).toBe(50)
    expect(quantile([7], 0.99)).toBe(7)
  })

  it.each([5, 70, 100, 640, 5_000])('comes close to the highest rate that passes, %i, from below', async (limit) => {
    const tried: number[] = []
    const found = await highest(50, 4, async (rate) => {
      tried.push(rate)
      return rate <= limit ? rate : undefined
    })
    expect(found).toBeLessThanOrEqual(limit)
    expect(found).toBeGreaterThan(limit * 0.95)
    expect(tried.length).toBeLessThan(25)
  })

  it('tries a rate once more before it counts as too high', async () => {
    const tried: number[] = []
    const found = await highest(50, 0, async (rate) => {
      tried.push(rate)
      return rate <= 300 && tried.length !== 2 ? rate : undefined
    })
    expect(found).toBe(200)
    expect(tried).toEqual([50, 100, 100, 200, 400, 400])
  })

  it('gives up on a candidate that passes at no rate', async () => {
    let tries = 0
    await expect(highest(50, 4, async () => void (tries += 1))).resolves.toBeUndefined()
    expect(tries).toBeLessThan(15)
  })
})

describe('the verdict on a run', () => {
  const fine = { count: 1_000, p50: 3, p99: 20, max: 90 }

  it('accepts what arrives once, in order, unchanged and in time', () => {
    expect(objections({ faults: {}, latency: fine })).toEqual([])
  })

  it('refuses a fault that was seen once, and what is late or stalled', () => {
    expect(objections({ faults: { lost: 1 }, latency: fine })).toEqual(['lost'])
    expect(objections({ faults: {}, latency: { ...fine, p99: 101, max: 1_001 } })).toEqual(['late', 'stalled'])
  })

  it('counts a planted fault as found only under its own name', () => {
    expect(Object.keys(expected)).toHaveLength(8)
    for (const [fault, word] of Object.entries(expected) as [Fault, string][]) {
      expect(isBitten(fault, [word])).toBe(true)
      expect(isBitten(fault, [])).toBe(false)
      expect(isBitten(fault, ['refused'])).toBe(false)
    }
    expect(isBitten('none', [])).toBe(true)
    expect(isBitten('none', ['late'])).toBe(false)
  })
})

describe('the page and the picture of results', () => {
  const figure = (value: number) => ({ metric: 'most delivered', unit: '/s', value })
  const results: Results = {
    repeats: 3,
    machine: { processor: 'Xeon', cores: 2, memoryGb: 24, isPinned: true, fsyncMs: 0.61, versions: { node: 'v20' } },
    workloads: [
      {
        name: 'hot-room',
        commit: '0123456789abcdef',
        day: '2026-12-01',
        title: 'Hot room',
        about: 'Many read.',
        candidates: [
          {
            name: 'chat',
            about: 'This chat',
            figures: seriesOf([
              [figure(990)],
              [figure(1_234_567), { metric: 'idle', unit: '', value: 1 }],
              [figure(1_000)],
            ]),
            disturbed: 0,
            failures: [],
          },
          { name: 'a<b', about: 'Another', figures: seriesOf([[figure(500)]]), disturbed: 2, failures: ['It broke.'] },
        ],
      },
    ],
  }

  it('writes a row for each figure: the median, and the spread of its repeats', () => {
    const page = reportOf(results)
    expect(page).toContain('Measured on 2026-12-01 at commit `01234567`.')
    expect(page).toContain('| | chat | a<b * |')
    expect(page).toContain('| most delivered, /s | 1,000 (990–1,235,000) | 500 |')
    expect(page).toContain('| idle | 1 | – |')
    expect(page).toContain('a<b gave no figures once: It broke.')
  })

  it('draws a bar for each candidate, as long as its median', () => {
    const chart = chartOf(results)
    const widths = [...chart.matchAll(/<rect class="(\w+)".* width="([\d.]+)"/g)].map(([, kind, width]) => [
      kind,
      Number(width),
    ])
    expect(widths).toEqual([
      ['ours', expect.closeTo((480 * 1_000) / 1_234_567, 1)],
      ['other', expect.closeTo((480 * 500) / 1_234_567, 1)],
    ])
    expect(chart).toContain('a&lt;b')
    expect(chart).toContain('prefers-color-scheme: dark')
  })

  it('writes three digits that count', () => {
    expect([0.61234, 12.345, 1_234, 98_765].map(written)).toEqual(['0.612', '12.3', '1,230', '98,800'])
  })
})
