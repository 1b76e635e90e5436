import { randomUUID } from 'node:crypto'
import type { News } from '../live/news.js'
import { createBatches } from '../platform/batches.js'
import type { Database } from '../platform/db.js'
import type { Rooms } from '../rooms/rooms.js'
import { noteArrivals, noteDepartures, upsertPresence } from './queries.js'

export { onlineAmong } from './queries.js'

/** Three may fail before somebody counts as away. */
export const refreshEveryMs = 15_000

// A page that is loaded anew disconnects for a moment. That is not reported.
const graceMs = 3_000
// A crowd comes within seconds, after a restart say: told one by one, each of N would hear of N others.
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

/** Who is here: each replica speaks for the accounts that are connected to it. */
export function createPresence({ db, news, rooms, isConnectedHere, onError }: PresenceOptions) {
  const replica = randomUUID()
  const here = new Set<string>()
  /** Accounts of which a socket here has come or gone. */
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

  /** A frame for each change, and one for all of them in a room where a crowd has come or gone. */
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
    /** An account has a socket here. */
    arrived: inDoubt.add,
    /** An account's last socket here has closed. */
    departed: (accountId: string) => void setTimeout(() => inDoubt.add(accountId), graceMs).unref(),
    /** Says again who is here, before it expires. */
    refresh: () => upsertPresence(db, [...here], replica),
    /** Says nothing more. People turn up elsewhere, or what was noted here expires. */
    stop: inDoubt.stop,
  }
}
