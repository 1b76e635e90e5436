import type { ToPerson } from '../accounts/person.js'
import type { Person, Room } from '../contract.js'
import type { Database } from '../platform/db.js'
import { ChatError } from '../platform/errors.js'
import type { Rooms } from '../rooms/rooms.js'
import * as queries from './queries.js'

export type Direct = ReturnType<typeof createDirect>

const peopleAtOnce = 20

/** Direct conversations: rooms whose people stay the same. In everything else they are rooms like others. */
export function createDirect({
  db,
  rooms,
  toPerson,
}: {
  db: Database
  rooms: Pick<Rooms, 'find' | 'tellJoined'>
  toPerson: ToPerson
}) {
  return {
    /** People with whom the account can talk: they share a room with it. Their names contain `search`. */
    async people(accountId: string, search: string): Promise<Person[]> {
      return (await queries.acquaintancesNamed(db, accountId, search, peopleAtOnce)).map(toPerson)
    },

    /**
     * The direct conversation of the account with others. The same people always get the same one.
     * @throws ChatError `no_such_account` when one of the others does not share a room with the account.
     */
    async begin(accountId: string, others: string[]): Promise<Room> {
      const people = [...new Set([accountId, ...others])].sort()
      const known = await queries.acquaintancesAmong(db, accountId, people)
      if (known.length === 0 || known.length < people.length - 1)
        throw new ChatError('no_such_account', 'You can write to people with whom you share a room.')
      const { roomId, joined } = await db.transaction((tx) => queries.openDirect(tx, accountId, people))
      for (const id of joined) rooms.tellJoined(id, roomId)
      return rooms.find(accountId, roomId)
    },
  }
}
