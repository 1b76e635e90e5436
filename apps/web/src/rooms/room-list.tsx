import { useState } from 'preact/hooks'

import { limits, type RoomKind } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { Link, navigate } from '../router.js'
import { Confirm, Dialog } from '../ui/dialog.js'
import { Field, Form } from '../ui/form.js'
import { useChanges } from '../ui/hooks.js'
import { Icon, IconButton } from '../ui/icon.js'
import { Avatar, Name } from '../ui/person.js'
import { Wait } from '../ui/wait.js'
import { BrowseRooms } from './browse-rooms.js'

/** The rooms of the account with their unread counts, and the buttons for other rooms and the profile. */
export function RoomList({ chat, openId }: { chat: Chat; openId: string | null }) {
  useChanges(chat.rooms, chat.outbox, chat.me)
  const [creating, setCreating] = useState(false)
  const [browsing, setBrowsing] = useState(false)
  const Heading = openId ? 'h2' : 'h1'
  // Rooms that the account has left, with messages that were not sent.
  const left = new Map(chat.rooms.list && chat.outbox.all().map(({ roomId, roomName }) => [roomId, roomName]))
  for (const { id } of chat.rooms.list ?? []) left.delete(id)

  return (
    <nav class="sidebar" aria-label="Rooms">
      <div class="head">
        <Heading class="brand">Rooms</Heading>
        <IconButton icon="plus" label="New room" onClick={() => setCreating(true)} />
      </div>
      <button type="button" class="entry room sidebar-browse" onClick={() => setBrowsing(true)}>
        <Icon name="search" />
        Browse rooms
      </button>
      <div class="sidebar-rooms">
        {!chat.rooms.list && <Wait problem={chat.rooms.problem} retry={() => void chat.rooms.reload()} />}
        {chat.rooms.list?.length === 0 && <p class="sidebar-empty subtle">You have not joined any rooms yet.</p>}
        <ul>
          {chat.rooms.list?.map((room) => (
            <li key={room.id}>
              <Link
                to={`/rooms/${room.id}`}
                class={`entry room${room.unread ? ' room--unread' : ''}`}
                current={room.id === openId}
              >
                <Icon name={room.kind === 'private' ? 'lock' : 'hash'} />
                <Name>{room.name}</Name>
                {room.kind === 'private' && <span class="hidden"> (private)</span>}
                {chat.outbox.in(room.id).some(({ refusal }) => refusal !== undefined) && <Unsent />}
                {room.unread > 0 && (
                  <span class="badge">
                    {room.unread > 999 ? '999+' : room.unread}
                    <span class="hidden"> unread</span>
                  </span>
                )}
              </Link>
            </li>
          ))}
          {[...left].map(([id, name = 'Another room']) => (
            <li key={id}>
              <Link to={`/rooms/${id}`} class="entry room" current={id === openId}>
                <Icon name="pencil" />
                <Name>{name}</Name>
                <Unsent />
              </Link>
            </li>
          ))}
        </ul>
      </div>
      <div class="sidebar-foot">
        <Link to="/profile" class="entry me">
          <Avatar person={chat.me.account} />
          <span class="me-name">
            <Name>{chat.me.account.name}</Name> <small>Profile</small>
          </span>
        </Link>
        <SignOut chat={chat} />
      </div>
      {browsing && <BrowseRooms chat={chat} onClose={() => setBrowsing(false)} />}
      {creating && <NewRoom chat={chat} onClose={() => setCreating(false)} />}
    </nav>
  )
}

const Unsent = () => (
  <span class="badge badge--alert">
    !<span class="hidden"> unsent</span>
  </span>
)

function SignOut({ chat }: { chat: Chat }) {
  const [asking, setAsking] = useState(false)
  return (
    <>
      <button type="button" class="button button--small" onClick={() => setAsking(true)}>
        Sign out
      </button>
      {asking && (
        <Confirm question="Sign out?" action="Sign out" send={chat.signOut} onClose={() => setAsking(false)}>
          You will need your password to sign in again.
        </Confirm>
      )}
    </>
  )
}

function NewRoom({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const create = async ({ name = '', kind }: Record<string, string>) => {
    const room = await api.createRoom({ name, kind: kind as RoomKind })
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
