import { randomUUID } from 'node:crypto'
import type { News } from '../live/news.js'
import { createBatches } from '../platform/batches.js'
import type { Database } from '../platform/db.js'
import type { Rooms } from '../rooms/rooms.js'
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
  rooms: Pick<Rooms, 'membershipsOf'>
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
    const byRoom = new Map<string, Change[]>()
    for (const { accountId, roomId } of await rooms.membershipsOf([...byAccount.keys()])) {
      const change = byAccount.get(accountId)
      if (change !== undefined) byRoom.set(roomId, [...(byRoom.get(roomId) ?? []), change])
    }
    const single = new Map<Change, string[]>()
    for (const [roomId, inRoom] of byRoom) {
      if (inRoom.length >= crowd)
        news.send({ type: 'presences:changed', to: [roomId], payload: { roomId, changes: inRoom } })
      else for (const change of inRoom) single.set(change, [...(single.get(change) ?? []), roomId])
    }
    for (const [change, to] of single) news.send({ type: 'presence:changed', to, payload: change })
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
