import { randomUUID } from 'node:crypto'
import type { News } from '../news.js'
import type { Database } from '../platform/db.js'
import type { Rooms } from '../rooms/rooms.js'
import { deletePresence, isPresent, upsertPresence } from './queries.js'

/** Three may fail before somebody counts as away. */
export const refreshEveryMs = 15_000

// Whoever reloads a page is gone for a moment; that is no news.
const graceMs = 3_000

interface PresenceOptions {
  db: Database
  news: News
  rooms: Pick<Rooms, 'roomIdsOf'>
  isConnectedHere: (accountId: string) => boolean
  onError: (error: unknown) => void
}

/** Who is here: each replica speaks for the accounts that are connected to it. */
export function createPresence({ db, news, rooms, isConnectedHere, onError }: PresenceOptions) {
  const replica = randomUUID()
  const here = new Set<string>()

  async function tell(accountId: string, online: boolean) {
    news.send({ to: await rooms.roomIdsOf(accountId), event: 'presence:changed', news: { accountId, online } })
  }

  async function arrive(accountId: string) {
    if (here.has(accountId)) return
    here.add(accountId)
    const wasPresent = await isPresent(db, accountId)
    await upsertPresence(db, [accountId], replica)
    if (!wasPresent) await tell(accountId, true)
  }

  async function depart(accountId: string) {
    if (isConnectedHere(accountId) || !here.delete(accountId)) return
    await deletePresence(db, accountId, replica)
    if (!(await isPresent(db, accountId))) await tell(accountId, false)
  }

  return {
    /** An account has a socket here. */
    arrived: (accountId: string) => void arrive(accountId).catch(onError),
    /** An account's last socket here has closed. */
    departed: (accountId: string) => void setTimeout(() => void depart(accountId).catch(onError), graceMs).unref(),
    /** Says again who is here, before it expires. */
    refresh: () => upsertPresence(db, [...here], replica),
  }
}
