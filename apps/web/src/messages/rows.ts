import type { Message } from '@chat/server/contract'

/** A line of the conversation: the day changes, the unread begins, or somebody says something. */
export type Row =
  | { kind: 'day'; key: string; label: string }
  | { kind: 'unread'; key: string }
  | { kind: 'message'; key: string; message: Message; leads: boolean }

const groupMs = 5 * 60_000

/**
 * What a run of messages looks like. `leads` is false for a message that continues what the same author was saying.
 * The unread begin with the first message of somebody else, and no bot, after `readTo`.
 */
export function rowsOf(messages: readonly Message[], readTo: number, me: string, now: Date): Row[] {
  const rows: Row[] = []
  let unreadFound = false
  let previous: Message | undefined
  for (const message of messages) {
    const { seq, author, postedAt } = message
    const day = new Date(postedAt).toDateString()
    const sameDay = previous && new Date(previous.postedAt).toDateString() === day
    if (!sameDay) rows.push({ kind: 'day', key: `day ${day} ${seq}`, label: nameOf(new Date(postedAt), now) })
    const unread: boolean = !unreadFound && seq > readTo && author.id !== me && !author.bot
    if (unread) rows.push({ kind: 'unread', key: 'unread' })
    unreadFound ||= unread
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

const anyDay = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full' })

const nameOf = (day: Date, now: Date) => {
  const yesterday = new Date(now)
  yesterday.setDate(now.getDate() - 1)
  if (day.toDateString() === now.toDateString()) return 'Today'
  if (day.toDateString() === yesterday.toDateString()) return 'Yesterday'
  return anyDay.format(day)
}
