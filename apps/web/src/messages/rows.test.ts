import { describe, expect, it } from 'vitest'

import type { Message } from '@chat/server/contract'

import { firstUnreadOf, rowsOf } from './rows.js'

const noon = new Date(2026, 5, 15, 12, 0)
const minutes = (n: number) => new Date(noon.getTime() + n * 60_000).toISOString()
const says = (seq: number, author: string, at: number, replyTo: number | null = null): Message => ({
  seq,
  id: String(seq),
  author: { id: author, name: author, avatarUrl: null },
  body: 'hello',
  postedAt: minutes(at),
  replyTo,
  editedAt: null,
  deleted: false,
  mentions: [],
  reactions: [],
  version: 0,
})
const shapeOf = (messages: Message[], readTo = Infinity) =>
  rowsOf(messages, firstUnreadOf(messages, readTo, 'me'), noon).map((row) =>
    row.kind === 'day' ? row.label : row.kind === 'unread' ? 'NEW' : `${row.leads ? '+' : ' '}${row.key}`,
  )

describe('the rows of a conversation', () => {
  it('group messages of one author within five minutes', () => {
    expect(
      shapeOf([says(1, 'ann', 0), says(2, 'ann', 4), says(3, 'ben', 5), says(4, 'ann', 6), says(5, 'ann', 12)]),
    ).toEqual(['Today', '+1', ' 2', '+3', '+4', '+5'])
  })

  it('start a new group with a reply', () => {
    expect(shapeOf([says(1, 'ann', 0), says(2, 'ann', 1, 1)])).toEqual(['Today', '+1', '+2'])
  })

  it('name each day', () => {
    const day = 24 * 60
    expect(
      shapeOf([says(1, 'ann', -400 * day), says(2, 'ann', -2 * day), says(3, 'ann', -day), says(4, 'ann', 0)]),
    ).toEqual(['Sunday, 11 May 2025', '+1', 'Saturday, 13 June 2026', '+2', 'Yesterday', '+3', 'Today', '+4'])
  })

  it('mark the first unread message, but never an own one', () => {
    expect(shapeOf([says(1, 'ann', 0), says(2, 'me', 1), says(3, 'ann', 2), says(4, 'ann', 2)], 1)).toEqual([
      'Today',
      '+1',
      '+2',
      'NEW',
      '+3',
      ' 4',
    ])
    expect(shapeOf([says(1, 'ann', 0), says(2, 'me', 1)], 1)).toEqual(['Today', '+1', '+2'])
  })

  it('do not mark a message of the bot as unread', () => {
    const greeting = says(2, 'bot', 1)
    greeting.author.bot = true
    expect(shapeOf([says(1, 'ann', 0), greeting, says(3, 'ann', 2)], 1)).toEqual(['Today', '+1', '+2', 'NEW', '+3'])
  })

  it('have unique keys', () => {
    const keys = rowsOf([says(1, 'ann', 0), says(2, 'ben', 3000), says(3, 'ann', 6000)], 2, noon).map(({ key }) => key)
    expect(new Set(keys).size).toBe(keys.length)
  })
})
