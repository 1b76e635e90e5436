import { useEffect, useState } from 'preact/hooks'

import type { Room } from '@chat/server/contract'

import { api, type ApiError } from '../api.js'
import type { Chat } from '../chat.js'
import { Conversation } from '../messages/conversation.js'
import { PendingItem } from '../messages/message-item.js'
import { Link, useTitle } from '../router.js'
import { Icon, Name, useChanges, useMedia, Wait } from '../ui.js'
import { Members } from './members.js'
import { RoomList } from './room-list.js'

/** What the server says of a room that is none of one's own: nothing when there is none, or not for everybody. */
interface OtherRoom {
  room?: Room
  problem?: string
}

/** The rooms on one side, the open one on the other; a narrow window shows one of the two. */
export function RoomsPage({ chat, roomId }: { chat: Chat; roomId: string | null }) {
  useChanges(chat)
  const wide = useMedia('(width >= 68.75rem)')
  const [membersShown, setMembersShown] = useState(wide)
  useEffect(() => setMembersShown(wide), [wide])
  const [others, setOthers] = useState<Record<string, OtherRoom>>({})
  const open = chat.rooms?.find(({ id }) => id === roomId)
  const other = open ? undefined : others[roomId ?? '']
  const look = async () => {
    if (!roomId || !chat.rooms || open) return
    const found = await api.room(roomId).then<OtherRoom, OtherRoom>(
      (room) => ({ room }),
      ({ code, message }: ApiError) => (code === 'not_found' || code === 'invalid' ? {} : { problem: message }),
    )
    setOthers((known) => ({ ...known, [roomId]: found }))
  }
  useEffect(() => void look(), [roomId, !chat.rooms, !open, chat.connections])
  const unread = (chat.rooms ?? []).reduce((sum, room) => sum + room.unread, 0)
  useTitle(`${unread ? `(${unread}) ` : ''}${(open ?? other?.room)?.name ?? 'Rooms'}`)

  return (
    <div class={`chat${roomId ? ' chat--room' : ''}`}>
      <RoomList chat={chat} openId={roomId} />
      <main class="pane" aria-label={open ?? other?.room ? undefined : 'Room'}>
        {!chat.connected && (
          <p class="offline" role="status">
            <span>You are offline. Messages will be sent when you are back.</span>
          </p>
        )}
        {open ? (
          <Conversation key={open.id} chat={chat} room={open} membersShown={membersShown} onToggleMembers={() => setMembersShown(!membersShown)} />
        ) : (
          <Elsewhere chat={chat} roomId={roomId} other={other} retry={look} />
        )}
      </main>
      {open && membersShown && <Members key={`${open.id} members`} chat={chat} room={open} beside={wide} onClose={() => setMembersShown(false)} />}
    </div>
  )
}

/** The pane when there is no conversation in it. */
function Elsewhere({ chat, roomId, other, retry }: { chat: Chat; roomId: string | null; other: OtherRoom | undefined; retry: () => void }) {
  const room = other?.room
  const [refusal, setRefusal] = useState('')
  const join = async () => {
    setRefusal('')
    try {
      await api.join(room!.id)
      await chat.reloadRooms()
    } catch (error) {
      setRefusal((error as Error).message)
    }
  }
  if (!chat.rooms) return chat.roomsProblem ? null : <Wait />
  const Heading = roomId ? 'h1' : 'h2'
  const unsent = chat.outbox.in(roomId ?? '')
  return (
    <>
      {roomId && <Link to="/" class="icon-button back" label="Back to rooms"><Icon name="back" /></Link>}
      {roomId && (!other || other.problem) ? <Wait problem={other?.problem} retry={retry} /> : (
        <div class="notice">
          <Heading><Name>{room?.name ?? unsent[0]?.roomName ?? (roomId ? 'No such room' : 'Pick a room')}</Name></Heading>
          <p>
            {room ? 'Join this room to read and write in it.'
              : roomId ? 'It does not exist, or it is not open to you.'
              : 'Choose one from the list, browse for others, or open a new one.'}
          </p>
          {refusal && <p class="alert" role="alert">{refusal}</p>}
          {room && <button type="button" class="button button--primary" onClick={() => void join()}>Join room</button>}
        </div>
      )}
      {unsent.length > 0 && (
        <section class="unsent">
          <h2 class="unread">Not sent</h2>
          <ol aria-label="Not sent">
            {unsent.map((message, place) => (
              <PendingItem key={message.id} message={message} outbox={chat.outbox} author={place ? undefined : chat.account} />
            ))}
          </ol>
        </section>
      )}
    </>
  )
}
