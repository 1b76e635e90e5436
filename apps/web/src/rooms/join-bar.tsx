import type { Room } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { Form } from '../ui/form.js'
import { Name } from '../ui/person.js'

/** Shown instead of the composer to a reader who is not a member. */
export function JoinBar({ chat, room }: { chat: Chat; room: Room }) {
  const join = async () => {
    const { head, version } = await api.join(room.id)
    await chat.rooms.reload()
    // Load the messages and changes since the last request.
    chat.conversations.receive(room.id, [], head, version)
  }
  return (
    <div class="sheet join">
      <Form action="Join room" send={join}>
        <p>
          You are reading <Name>{room.name}</Name>. Join to write messages.
        </p>
      </Form>
    </div>
  )
}
