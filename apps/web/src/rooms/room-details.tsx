import { limits, type Room } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { Dialog } from '../ui/dialog.js'
import { Field, Form } from '../ui/form.js'

/** A dialog for the person who created a room: its name, its topic, and whether it is archived. */
export function RoomDetails({ chat, room, onClose }: { chat: Chat; room: Room; onClose: () => void }) {
  const save = async ({ name, topic, archived }: { name?: string; topic?: string; archived?: string }) => {
    chat.rooms.put(await api.changeRoom(room.id, { name, topic, archived: archived !== undefined }))
    onClose()
  }
  return (
    <Dialog title="Room details" onClose={onClose}>
      <Form action="Save" send={save} onCancel={onClose}>
        <Field label="Name" name="name" initial={room.name} maxLength={limits.name} autocomplete="off" focused />
        <Field label="Topic" name="topic" initial={room.topic} maxLength={limits.topic} autocomplete="off" optional />
        <div class="choices">
          <label>
            <input type="checkbox" name="archived" defaultChecked={room.archived} />{' '}
            <span>
              Archived<small>Members can read everything, but not write. You can open the room again.</small>
            </span>
          </label>
        </div>
      </Form>
    </Dialog>
  )
}
