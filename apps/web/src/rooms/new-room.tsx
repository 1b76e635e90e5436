import { limits } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { navigate } from '../router.js'
import { Dialog } from '../ui/dialog.js'
import { Field, Form } from '../ui/form.js'

/** A dialog to create a room, which then opens. */
export function NewRoom({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const create = async ({ name = '', kind }: Record<string, string>) => {
    const room = await api.createRoom({ name, kind: kind as 'public' | 'private' })
    await chat.rooms.reload()
    onClose()
    navigate(`/rooms/${room.id}`)
  }
  return (
    <Dialog title="New room" onClose={onClose}>
      <Form action="Create room" send={create} onCancel={onClose}>
        <Field label="Name" name="name" maxLength={limits.name} autocomplete="off" focused />
        <fieldset class="choices">
          <legend>Who can join</legend>
          <label>
            <input type="radio" name="kind" value="public" defaultChecked />{' '}
            <span>
              Public<small>Everyone</small>
            </span>
          </label>
          <label>
            <input type="radio" name="kind" value="private" />{' '}
            <span>
              Private<small>By invitation</small>
            </span>
          </label>
        </fieldset>
      </Form>
    </Dialog>
  )
}
