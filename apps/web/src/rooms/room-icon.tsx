import type { Room } from '@chat/server/contract'

import { Icon } from '../ui/icon.js'
import { Avatar } from '../ui/person.js'

/** What kind of room it is, or the avatar of the other person. The name beside it says the rest. */
export function RoomIcon({ room }: { room: Room }) {
  if (room.kind !== 'direct') return <Icon name={room.kind === 'private' ? 'lock' : 'hash'} />
  return room.people.length === 1 ? <Avatar person={room.people[0]!} /> : <Icon name="people" />
}
