import { describe, expect, it } from 'vitest'

import { compareNames, formatCount, formatDay, formatTime } from './format.js'

describe('formatting', () => {
  it('shows a time with hours and minutes', () => {
    expect(formatTime(new Date(2026, 5, 15, 9, 5))).toBe('09:05')
  })

  it('calls the last two days Today and Yesterday, also at the end of a month', () => {
    const now = new Date(2026, 2, 1, 0, 30)
    expect(formatDay(new Date(2026, 2, 1, 0, 10), now)).toBe('Today')
    expect(formatDay(new Date(2026, 1, 28, 23, 50), now)).toBe('Yesterday')
    expect(formatDay(new Date(2026, 1, 27, 23, 50), now)).toBe('Friday, 27 February 2026')
  })

  it('puts a number before its noun, in the singular for one', () => {
    const noun = { one: 'message', other: 'messages' }
    expect([0, 1, 2, 4000].map((count) => formatCount(count, noun))).toEqual([
      '0 messages',
      '1 message',
      '2 messages',
      '4,000 messages',
    ])
  })

  it('sorts names by letters and by the value of numbers', () => {
    const sorted = ['Änderung', 'Apfel', 'room 9', 'room 10', 'zebra']
    expect([...sorted].reverse().sort(compareNames)).toEqual(sorted)
  })
})
