import { randomUUID } from 'node:crypto'
import type { News } from '../live/news.js'
import { createBatches } from '../platform/batches.js'
import type { Database } from '../platform/db.js'
import { groupBy } from '../platform/group.js'
import { noteArrivals, noteDepartures, upsertPresence } from './queries.js'

export { onlineAmong } from './queries.js'

/** An account counts as offline after 60 s, so three refreshes in a row may fail. */
export const refreshEveryMs = 15_000

// A page reload disconnects for a moment. It is not reported.
const graceMs = 3_000
// After a restart many people connect within seconds. With a frame for each, every one of N people would get N frames.
const restMs = 500
const crowd = 5

interface PresenceOptions {
  db: Database
  news: News
  rooms: { membershipsOf: (accountIds: string[]) => Promise<{ accountId: string; roomId: string }[]> }
  isConnectedHere: (accountId: string) => boolean
  onError: (error: unknown) => void
}

interface Change {
  accountId: string
  online: boolean
}

/** Tracks who is online. Each replica reports the accounts that are connected to it. */
export function createPresence({ db, news, rooms, isConnectedHere, onError }: PresenceOptions) {
  const replica = randomUUID()
  const here = new Set<string>()
  /** Accounts whose sockets on this replica have changed. */
  const inDoubt = createBatches({ restMs, work: flush, onError })

  async function flush(accountIds: string[]) {
    const arrived = accountIds.filter((id) => isConnectedHere(id) && !here.has(id))
    const departed = accountIds.filter((id) => !isConnectedHere(id) && here.has(id))
    for (const id of arrived) here.add(id)
    for (const id of departed) here.delete(id)
    const changes: Change[] = []
    if (arrived.length > 0)
      for (const accountId of await noteArrivals(db, arrived, replica)) changes.push({ accountId, online: true })
    if (departed.length > 0)
      for (const accountId of await noteDepartures(db, departed, replica)) changes.push({ accountId, online: false })
    if (changes.length > 0) await tell(changes)
  }

  /** Sends one frame per change, or one frame with all changes to a room where many accounts have changed. */
  async function tell(changes: Change[]) {
    const byAccount = new Map(changes.map((change) => [change.accountId, change]))
    const memberships = await rooms.membershipsOf([...byAccount.keys()])
    const few: typeof memberships = []
    for (const [roomId, inRoom] of groupBy(memberships, ({ roomId }) => roomId)) {
      if (inRoom.length < crowd) few.push(...inRoom)
      else {
        const changes = inRoom.map(({ accountId }) => byAccount.get(accountId)!)
        news.send({ type: 'presences:changed', to: [roomId], payload: { roomId, changes } })
      }
    }
    for (const [accountId, theirs] of groupBy(few, ({ accountId }) => accountId)) {
      const to = theirs.map(({ roomId }) => roomId)
      news.send({ type: 'presence:changed', to, payload: byAccount.get(accountId)! })
    }
  }

  return {
    /** Call it when an account has connected to this replica. */
    arrived: inDoubt.add,
    /** Call it when the last socket of an account on this replica has closed. */
    departed: (accountId: string) => void setTimeout(() => inDoubt.add(accountId), graceMs).unref(),
    /** Stores the connected accounts again before their rows expire. */
    refresh: () => upsertPresence(db, [...here], replica),
    /** Stops reporting. The accounts connect to other replicas, or their rows expire. */
    stop: inDoubt.stop,
  }
}
