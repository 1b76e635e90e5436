import type { Room } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { Form } from '../ui/form.js'
import { Name } from '../ui/person.js'

/** In place of the composer while somebody only reads. */
export function JoinBar({ chat, room }: { chat: Chat; room: Room }) {
  const join = async () => {
    const { head, version } = await api.join(room.id)
    await chat.rooms.reload()
    // What was said and changed since the last look is fetched.
    chat.conversations.receive(room.id, [], head, version)
  }
  return (
    <div class="sheet join">
      <Form action="Join room" send={join}>
        <p>
          You are reading <Name>{room.name}</Name>. Join to write in it.
        </p>
      </Form>
    </div>
  )
}
