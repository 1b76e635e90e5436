import { useState } from 'preact/hooks'

import type { RoomKind } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat.js'
import { Link, navigate } from '../router.js'
import { Avatar, Dialog, Field, Form, Icon, IconButton, Wait } from '../ui.js'

/** One's rooms with what is new in them, public rooms to join, and the way to the profile. */
export function RoomList({ chat, openId }: { chat: Chat; openId: string | null }) {
  const [creating, setCreating] = useState(false)
  const joined = chat.rooms?.filter((room) => room.joined) ?? []
  const others = chat.rooms?.filter((room) => !room.joined) ?? []
  const [Heading, Subheading] = openId ? (['h2', 'h3'] as const) : (['h1', 'h2'] as const)

  return (
    <nav class="sidebar" aria-label="Rooms">
      <div class="sidebar-head">
        <Heading class="brand">Rooms</Heading>
        <IconButton icon="plus" label="New room" onClick={() => setCreating(true)} />
      </div>
      <div class="sidebar-rooms">
        {!chat.rooms && <Wait problem={chat.roomsProblem} retry={() => void chat.reloadRooms()} />}
        {chat.rooms && joined.length === 0 && <p class="sidebar-empty subtle">You are in no room yet.</p>}
        <ul>
          {joined.map((room) => (
            <li key={room.id}>
              <Link to={`/rooms/${room.id}`} class={`room${room.unread ? ' room--unread' : ''}`} current={room.id === openId}>
                <Icon name={room.kind === 'private' ? 'lock' : 'hash'} />
                <span class="room-name">{room.name}</span>
                {room.kind === 'private' && <span class="hidden"> (private)</span>}
                {chat.outbox.in(room.id).some(({ refusal }) => refusal !== undefined) && <span class="badge badge--alert">!<span class="hidden"> unsent</span></span>}
                {room.unread > 0 && <span class="badge">{room.unread > 999 ? '999+' : room.unread}<span class="hidden"> unread</span></span>}
              </Link>
            </li>
          ))}
        </ul>
        {others.length > 0 && (
          <section aria-labelledby="discover">
            <Subheading class="sidebar-title" id="discover">Discover</Subheading>
            <ul>
              {others.map((room) => (
                <li key={room.id}>
                  <Link to={`/rooms/${room.id}`} class="room room--other" current={room.id === openId}>
                    <Icon name="hash" />
                    <span class="room-name">{room.name}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
      <Link to="/profile" class="me">
        <Avatar person={chat.account} />
        <span class="me-name">{chat.account.name} <small>Profile</small></span>
      </Link>
      {creating && <NewRoom chat={chat} onClose={() => setCreating(false)} />}
    </nav>
  )
}

function NewRoom({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const create = async ({ name = '', kind }: Record<string, string>) => {
    const room = await api.createRoom({ name, kind: kind as RoomKind })
    await chat.reloadRooms()
    onClose()
    navigate(`/rooms/${room.id}`)
  }
  return (
    <Dialog title="New room" onClose={onClose}>
      <Form action="Create room" send={create} onCancel={onClose}>
        <Field label="Name" name="name" maxLength={60} autocomplete="off" focused />
        <fieldset class="choices">
          <legend>Who can join</legend>
          <label><input type="radio" name="kind" value="public" checked /> <span>Public<small>Everybody</small></span></label>
          <label><input type="radio" name="kind" value="private" /> <span>Private<small>Whom members invite</small></span></label>
        </fieldset>
      </Form>
    </Dialog>
  )
}
