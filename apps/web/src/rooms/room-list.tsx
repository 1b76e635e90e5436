import { useState } from 'preact/hooks'

import type { Room } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import { Link } from '../router.js'
import { Confirm } from '../ui/dialog.js'
import { useChanges } from '../ui/hooks.js'
import { Icon, IconButton } from '../ui/icon.js'
import { later } from '../ui/later.js'
import { Avatar, Name } from '../ui/person.js'
import { Wait } from '../ui/wait.js'
import { RoomIcon } from './room-icon.js'

const BrowseRooms = later('BrowseRooms', () => import(/* webpackChunkName: "browse-rooms" */ './browse-rooms.js'))
const NewRoom = later('NewRoom', () => import(/* webpackChunkName: "new-room" */ './new-room.js'))

/** The rooms of the account with their unread counts, and the buttons for other rooms and the profile. */
export function RoomList({
  chat,
  openId,
  onSwitch,
  onSearch,
}: {
  chat: Chat
  openId: string | null
  /** Opens the dialog to choose a person. */
  onSwitch: () => void
  onSearch: () => void
}) {
  useChanges(chat.rooms, chat.outbox, chat.me)
  const [creating, setCreating] = useState(false)
  const [browsing, setBrowsing] = useState(false)
  const Heading = openId ? 'h2' : 'h1'
  // Rooms that the account has left, with messages that were not sent.
  const left = new Map(chat.rooms.list && chat.outbox.all().map(({ roomId, roomName }) => [roomId, roomName]))
  for (const { id } of chat.rooms.list ?? []) left.delete(id)
  const { rooms, direct, archived } = groupsOf(chat.rooms.list ?? [], openId)
  const entry = (room: Room) => (
    <li key={room.id}>
      <Link
        to={`/rooms/${room.id}`}
        class={`entry room${room.unread ? ' room--unread' : ''}`}
        current={room.id === openId}
      >
        <RoomIcon room={room} />
        <Name>{room.name}</Name>
        {room.kind === 'private' && <span class="hidden"> (private)</span>}
        {chat.outbox.in(room.id).some(({ refusal }) => refusal !== undefined) && <Unsent />}
        {room.mentions > 0 && (
          <span class="badge badge--alert">
            @{room.mentions}
            <span class="hidden"> naming you</span>
          </span>
        )}
        {room.unread > 0 && (
          <span class="badge">
            {room.unread > 999 ? '999+' : room.unread}
            <span class="hidden"> unread</span>
          </span>
        )}
      </Link>
    </li>
  )

  return (
    <nav class="sidebar" aria-label="Rooms">
      <div class="head">
        <Heading class="brand">Rooms</Heading>
        <IconButton icon="search" label="Search messages" onClick={onSearch} />
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
          {rooms.map(entry)}
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
        <div class="sidebar-head">
          <h2>Direct messages</h2>
          <IconButton icon="plus" label="New direct message" onClick={onSwitch} />
        </div>
        <ul>{direct.map(entry)}</ul>
        {archived.length > 0 && (
          <div class="sidebar-head">
            <h2>Archived rooms</h2>
          </div>
        )}
        <ul>{archived.map(entry)}</ul>
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

/**
 * Rooms, direct conversations and archived rooms as the list shows them: a conversation without messages only while it
 * is open.
 */
export const groupsOf = (list: readonly Room[], openId: string | null) => ({
  rooms: list.filter(({ kind, archived }) => kind !== 'direct' && !archived),
  direct: list.filter(({ id, kind, head }) => kind === 'direct' && (head > 0 || id === openId)),
  archived: list.filter(({ archived }) => archived),
})

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
