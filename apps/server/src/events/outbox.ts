import type { ChatEvent } from './events.js'
import type { Db } from '../platform/db.js'

/** An event without its id, which the database assigns. */
export type NewEvent = ChatEvent extends infer Event
  ? Event extends { id: string }
    ? Omit<Event, 'id'>
    : never
  : never

/** An event that a relay has claimed until its lease ends. */
export interface ClaimedEvent {
  event: ChatEvent
  /** The number of this attempt: 1, 2, 3 … An attempt during which the process died counts too. */
  attempt: number
}

/** Writes an event to the outbox, in the transaction that causes it: both are committed, or neither. The relay publishes it. */
export async function recordEvent(db: Db, event: NewEvent): Promise<void> {
  await db.query('insert into outbox (type, payload) values ($1, $2)', [event.type, JSON.stringify(event.payload)])
}

/** Claims up to `limit` events for `leaseMs`. Other relays skip them until the lease ends. */
export async function claimEvents(db: Db, limit: number, leaseMs: number): Promise<ClaimedEvent[]> {
  const rows = await db.query<{ id: string; type: string; payload: unknown; attempt: number }>(
    `update outbox
        set available_at = now() + $2 * interval '1 millisecond', attempts = attempts + 1
      where id in (
        select id from outbox
         where parked_at is null and available_at <= now()
         order by available_at
         limit $1
         for update skip locked)
      returning id, type, payload, attempts as attempt`,
    [limit, leaseMs],
  )
  return rows.map(({ attempt, ...event }) => ({ event: event as ChatEvent, attempt }))
}

/** Deletes events that the bus has accepted. */
export async function deleteEvents(db: Db, ids: string[]): Promise<void> {
  await db.query('delete from outbox where id = any($1::uuid[])', [ids])
}

/** Releases events that the bus did not accept. They can be claimed again after `delayMs`, and this attempt does not count. */
export async function returnEvents(db: Db, ids: string[], delayMs: number): Promise<void> {
  await db.query(
    `update outbox set available_at = now() + $2 * interval '1 millisecond', attempts = greatest(attempts - 1, 0)
      where id = any($1::uuid[])`,
    [ids, delayMs],
  )
}

/** Delays the next attempt of an event that failed. */
export async function delayEvent(db: Db, id: string, delayMs: number): Promise<void> {
  await db.query(`update outbox set available_at = now() + $2 * interval '1 millisecond' where id = $1`, [id, delayMs])
}

/** Parks an event: no relay claims it until the replay task has run. */
export async function parkEvent(db: Db, id: string): Promise<void> {
  await db.query('update outbox set parked_at = now() where id = $1', [id])
}

/** Makes every parked event available again and resets its attempts. Returns the number of events. */
export async function unparkEvents(db: Db): Promise<number> {
  const rows = await db.query(
    'update outbox set parked_at = null, attempts = 0, available_at = now() where parked_at is not null returning id',
  )
  return rows.length
}
