import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createFaults, type SayFault } from './faults.js'

let lines: string[]
let sayFault: SayFault
const said = () =>
  lines.map(
    (line) =>
      JSON.parse(line) as {
        msg: string
        kind?: string
        rest?: number
        reqId?: string
        reason?: string
        err?: { stack: string }
      },
  )

beforeEach(() => {
  vi.useFakeTimers()
  lines = []
  sayFault = createFaults(pino({}, { write: (line) => lines.push(line) }))
})
afterEach(() => vi.useRealTimers())

describe('errors in the log', () => {
  it('are a few lines and a count, however many errors there are', () => {
    for (let index = 0; index < 10_000; index += 1)
      sayFault({ err: new Error(`no answer to ${index}`), reqId: `request-${index}` }, 'request failed')
    vi.advanceTimersByTime(60_000)
    expect(lines.join('').length).toBeLessThan(10_000)
    expect(said().at(-1)).toMatchObject({ msg: 'more errors of this kind', kind: 'request failed: Error', rest: 9_990 })
  })

  it('have their stack once, and their reason and request each time', () => {
    for (let index = 0; index < 3; index += 1)
      sayFault({ err: new Error(`no answer to ${index}`), reqId: `request-${index}` }, 'request failed')
    expect(said().filter(({ err }) => err?.stack !== undefined)).toHaveLength(1)
    expect(said()[2]).toMatchObject({ msg: 'request failed', reason: 'no answer to 2', reqId: 'request-2' })
  })

  it('do not hide errors of another kind', () => {
    for (let index = 0; index < 100; index += 1) sayFault({ err: new Error('no answer') }, 'request failed')
    sayFault({ err: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) }, 'request failed')
    sayFault({ err: new Error('no answer') }, 'event failed')
    sayFault({ err: 'not even an error' }, 'event failed')
    expect(said().slice(-3)).toMatchObject([
      { err: { message: 'refused' } },
      { msg: 'event failed', err: { message: 'no answer' } },
      { err: 'not even an error' },
    ])
  })

  it('are logged again after a minute', () => {
    for (let minute = 0; minute < 2; minute += 1) {
      for (let index = 0; index < 100; index += 1) sayFault({ err: new Error('no answer') }, 'request failed')
      vi.advanceTimersByTime(60_000)
    }
    expect(
      said()
        .map(({ rest }) => rest)
        .filter(Boolean),
    ).toEqual([90, 90])
    expect(said().filter(({ err }) => err?.stack !== undefined)).toHaveLength(2)
  })
})
