import type { News } from '../live/news.js'
import { createBatches } from '../platform/batches.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Accounts } from './accounts.js'
import type { ToPerson } from './person.js'

export type PersonNews = ReturnType<typeof createPersonNews>

interface PersonNewsOptions {
  news: News
  accounts: Pick<Accounts, 'find'>
  rooms: Pick<Rooms, 'membershipsOf'>
  toPerson: ToPerson
  onError: (error: unknown) => void
}

/** Other people are notified of changes twice a second at most. */
const restMs = 500

/** Takes the ids of accounts whose name or avatar has changed, and notifies the members of their rooms. */
export function createPersonNews({ news, accounts, rooms, toPerson, onError }: PersonNewsOptions) {
  return createBatches({
    restMs,
    onError,
    async work(accountIds) {
      const memberships = await rooms.membershipsOf(accountIds)
      for (const accountId of accountIds) {
        const account = await accounts.find(accountId)
        if (account === undefined) continue
        const to = memberships.filter((each) => each.accountId === accountId).map(({ roomId }) => roomId)
        news.send({ type: 'person:changed', to, payload: { person: toPerson(account) } })
      }
    },
  })
}
