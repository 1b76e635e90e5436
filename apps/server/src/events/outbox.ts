import type { ChatEvent } from './events.js'
import type { Db } from '../platform/db.js'

/** An event before it has an id. */
export type NewEvent = ChatEvent extends infer Event
  ? Event extends { id: string }
    ? Omit<Event, 'id'>
    : never
  : never

/** An event that one relay has claimed for a while. */
export interface ClaimedEvent {
  event: ChatEvent
  /** Which attempt this is: 1, 2, 3 … One that took the process with it counts too. */
  attempt: number
}

/** Notes an event in the transaction that causes it: both happen, or neither. The relay takes it from there. */
export async function recordEvent(db: Db, event: NewEvent): Promise<void> {
  await db.query('insert into outbox (type, payload) values ($1, $2)', [event.type, JSON.stringify(event.payload)])
}

/** Claims up to `limit` events for `leaseMs`; other relays pass over them meanwhile, and find them again after it. */
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

/** Forgets events that are safe elsewhere. */
export async function deleteEvents(db: Db, ids: string[]): Promise<void> {
  await db.query('delete from outbox where id = any($1::uuid[])', [ids])
}

/** Gives back events that nobody took, to be claimed again after `delayMs`: the attempt does not count. */
export async function returnEvents(db: Db, ids: string[], delayMs: number): Promise<void> {
  await db.query(
    `update outbox set available_at = now() + $2 * interval '1 millisecond', attempts = greatest(attempts - 1, 0)
      where id = any($1::uuid[])`,
    [ids, delayMs],
  )
}

/** Puts an event off after a failure. */
export async function delayEvent(db: Db, id: string, delayMs: number): Promise<void> {
  await db.query(`update outbox set available_at = now() + $2 * interval '1 millisecond' where id = $1`, [id, delayMs])
}

/** Gives up on an event until somebody calls for a replay. */
export async function parkEvent(db: Db, id: string): Promise<void> {
  await db.query('update outbox set parked_at = now() where id = $1', [id])
}

/** Puts every parked event back to work with a fresh count of attempts. Returns how many. */
export async function unparkEvents(db: Db): Promise<number> {
  const rows = await db.query(
    'update outbox set parked_at = null, attempts = 0, available_at = now() where parked_at is not null returning id',
  )
  return rows.length
}
