import type { Message } from '@chat/server/contract'

import { formatDay } from '../ui/format.js'

/** A row of the conversation: a day, the line before the unread messages, or a message. */
export type Row =
  | { kind: 'day'; key: string; label: string }
  | { kind: 'unread'; key: string }
  | { kind: 'message'; key: string; message: Message; leads: boolean }

const groupMs = 5 * 60_000

/**
 * The rows for `messages`. `leads` is false for a message that continues the one before it by the same author.
 * `firstUnread` is the `seq` of the first unread message.
 */
export function rowsOf(messages: readonly Message[], firstUnread: number | undefined, now: Date): Row[] {
  const rows: Row[] = []
  let previous: Message | undefined
  for (const message of messages) {
    const { seq, author, postedAt } = message
    const unread = seq === firstUnread
    const day = new Date(postedAt).toDateString()
    const sameDay = previous && new Date(previous.postedAt).toDateString() === day
    if (!sameDay) rows.push({ kind: 'day', key: `day ${day} ${seq}`, label: formatDay(new Date(postedAt), now) })
    if (unread) rows.push({ kind: 'unread', key: 'unread' })
    const leads =
      !sameDay ||
      unread ||
      previous?.author.id !== author.id ||
      message.replyTo !== null ||
      Date.parse(postedAt) - Date.parse(previous.postedAt) > groupMs
    rows.push({ kind: 'message', key: String(seq), message, leads })
    previous = message
  }
  return rows
}

/** `seq` of the first message after `readTo` by another person, not a bot. `messages` must be a run without holes. */
export function firstUnreadOf(messages: readonly Message[], readTo: number, me: string): number | undefined {
  const first = messages[0]?.seq ?? 0
  return messages.slice(Math.max(0, readTo + 1 - first)).find(({ author }) => author.id !== me && !author.bot)?.seq
}
