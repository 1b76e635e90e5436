import { useEffect, useState } from 'preact/hooks'

import { firstRoom, type Room } from '@chat/server/contract'

import { api, type ApiError } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { Conversation } from '../messages/conversation.js'
import { PendingItem } from '../messages/message-item.js'
import { Link, navigate, useIcon, useTitle } from '../router.js'
import { recall, remember } from '../chat/storage.js'
import { useChanges, useMedia } from '../ui/hooks.js'
import { Icon } from '../ui/icon.js'
import { later } from '../ui/later.js'
import { Name } from '../ui/person.js'
import { Wait } from '../ui/wait.js'
import { useKeys } from './keys.js'
import { groupsOf, RoomList } from './room-list.js'

/** The answer about a room that the account has not joined. Empty if the room does not exist or is hidden. */
interface OtherRoom {
  room?: Room
  problem?: string
}

const Members = later('Members', () => import(/* webpackChunkName: "members" */ './members.js'))
const Switcher = later('Switcher', () => import(/* webpackChunkName: "switcher" */ './switcher.js'))
const Search = later('Search', () => import(/* webpackChunkName: "search" */ './search.js'))
const KeysHelp = later('KeysHelp', () => import(/* webpackChunkName: "keys-help" */ './keys-help.js'))

// The server sends no news of a room that the account has not joined, so it is loaded again after this time.
const otherRoomMs = 5_000

type RoomsPageProps = {
  chat: Chat
  roomId: string | null
  /** `seq` of the message in the URL, null for none. */
  linked: number | null
  /** True if the visit starts without a room in the URL. */
  arriving: boolean
}

/** The list of rooms and the open room. A narrow window shows one of the two. */
export function RoomsPage({ chat, roomId, linked, arriving }: RoomsPageProps) {
  useChanges(chat.rooms, chat.connection)
  const wide = useMedia('(width >= 68.75rem)')
  const [membersShown, setMembersShown] = useState(wide)
  useEffect(() => setMembersShown(wide), [wide])
  const [switching, setSwitching] = useState(false)
  const [searching, setSearching] = useState(false)
  const [helping, setHelping] = useState(false)
  useKeys({
    rooms: Object.values(groupsOf(chat.rooms.list ?? [], roomId)).flat(),
    openId: roomId,
    onSwitch: () => setSwitching(true),
    onSearch: () => setSearching(true),
    onHelp: () => setHelping(true),
  })
  const [others, setOthers] = useState<Record<string, OtherRoom>>({})
  const open = chat.rooms.list?.find(({ id }) => id === roomId)
  const other = open || !chat.rooms.list ? undefined : others[roomId ?? '']
  const shown = open ?? other?.room
  const lastRoom = `chat.room.${chat.me.account.id}`
  useEffect(() => {
    if (open) remember(lastRoom, open.id)
    const list = chat.rooms.list ?? []
    const last = list.find(({ id }) => id === recall(lastRoom))
    const first = list.find(({ name }) => name === firstRoom) ?? list[0]
    if (arriving && first) navigate(`/rooms/${(last ?? first).id}`, { replace: true })
  }, [open?.id, arriving, !chat.rooms.list])
  const look = async () => {
    if (!roomId || !chat.rooms.list || open) return
    const found = await api.room(roomId).then<OtherRoom, OtherRoom>(
      (room) => ({ room }),
      ({ code, message }: ApiError) => (code === 'not_found' || code === 'invalid' ? {} : { problem: message }),
    )
    setOthers((known) => ({ ...known, [roomId]: found }))
    if (found.room) chat.conversations.receive(roomId, [], found.room.head, found.room.version)
  }
  useEffect(() => void look(), [roomId, !chat.rooms.list, !open, chat.connection.count])
  useEffect(() => {
    const timer = other?.room && setInterval(() => void look(), otherRoomMs)
    return () => clearInterval(timer)
  }, [other?.room?.id])
  const unread = (chat.rooms.list ?? []).reduce((sum, room) => sum + room.unread, 0)
  useIcon(unread > 0)
  useTitle(`${unread ? `(${unread}) ` : ''}${shown?.name ?? 'Rooms'}`)

  // The last room is about to open: a narrow window does not show the list before it.
  const opening = arriving && !chat.rooms.problem && chat.rooms.list?.length !== 0
  return (
    <div class={`chat${roomId || opening ? ' chat--room' : ''}`}>
      <RoomList chat={chat} openId={roomId} onSwitch={() => setSwitching(true)} onSearch={() => setSearching(true)} />
      <main class="pane" aria-label={shown ? undefined : 'Room'}>
        {!chat.connection.connected && (
          <p class="offline" role="status">
            <span>You are offline. Messages will be sent when you are online again.</span>
          </p>
        )}
        {shown ? (
          <Conversation
            key={`${shown.id} ${shown.joined}`}
            chat={chat}
            room={shown}
            linked={linked}
            membersShown={membersShown}
            onToggleMembers={() => setMembersShown(!membersShown)}
          />
        ) : (
          <EmptyPane chat={chat} roomId={roomId} problem={other ? other.problem : null} retry={look} />
        )}
      </main>
      {open && membersShown && (
        <div class={wide ? 'beside' : undefined}>
          <Members
            key={`${open.id} members`}
            chat={chat}
            room={open}
            beside={wide}
            onClose={() => setMembersShown(false)}
          />
        </div>
      )}
      {switching && <Switcher chat={chat} onClose={() => setSwitching(false)} />}
      {searching && <Search chat={chat} room={open} onClose={() => setSearching(false)} />}
      {helping && <KeysHelp onClose={() => setHelping(false)} />}
    </div>
  )
}

/** The pane without a conversation. `problem` is null while the room is loading, undefined if it was not found. */
function EmptyPane({
  chat,
  roomId,
  problem,
  retry,
}: {
  chat: Chat
  roomId: string | null
  problem: string | null | undefined
  retry: () => void
}) {
  useChanges(chat.outbox)
  if (!chat.rooms.list) return chat.rooms.problem ? null : <Wait />
  const Heading = roomId ? 'h1' : 'h2'
  const unsent = chat.outbox.in(roomId ?? '')
  return (
    <>
      {roomId && (
        <Link to="/" class="icon-button back" label="Back to rooms">
          <Icon name="back" />
        </Link>
      )}
      {roomId && problem !== undefined ? (
        <Wait problem={problem} retry={retry} />
      ) : (
        <div class="notice">
          <Heading>
            <Name>{unsent[0]?.roomName ?? (roomId ? 'No such room' : 'Choose a room')}</Name>
          </Heading>
          <p>
            {roomId
              ? 'It does not exist, or you do not have access to it.'
              : 'Choose one from the list, browse other rooms, or create a new one.'}
          </p>
        </div>
      )}
      {unsent.length > 0 && (
        <section class="unsent">
          <h2 class="unread">Not sent</h2>
          <ol aria-label="Not sent">
            {unsent.map((message, place) => (
              <PendingItem
                key={message.id}
                message={message}
                outbox={chat.outbox}
                author={place ? undefined : chat.me.account}
              />
            ))}
          </ol>
        </section>
      )}
    </>
  )
}
