import { useState } from 'preact/hooks'

import type { Room } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat.js'
import { Conversation } from '../messages/conversation.js'
import { Link, useTitle } from '../router.js'
import { Icon, useChanges, Wait } from '../ui.js'
import { Members } from './members.js'
import { RoomList } from './room-list.js'

/** The rooms on one side, the open one on the other; a narrow window shows one of the two. */
export function RoomsPage({ chat, roomId }: { chat: Chat; roomId: string | null }) {
  useChanges(chat)
  const [membersShown, setMembersShown] = useState(() => matchMedia('(min-width: 1100px)').matches)
  const room = chat.rooms?.find(({ id }) => id === roomId)
  const unread = (chat.rooms ?? []).reduce((sum, { joined, unread }) => sum + (joined ? unread : 0), 0)
  useTitle(`${unread ? `(${unread}) ` : ''}${room?.name ?? 'Rooms'}`)
  const open = room?.joined ? room : undefined

  return (
    <div class={`chat${roomId ? ' chat--room' : ''}`}>
      <RoomList chat={chat} openId={roomId} />
      <main class="pane" aria-label={room ? undefined : 'Room'}>
        {!chat.connected && (
          <p class="offline" role="status">
            <span>You are offline. Messages will be sent when you are back.</span>
          </p>
        )}
        {open ? (
          <Conversation key={open.id} chat={chat} room={open} membersShown={membersShown} onToggleMembers={() => setMembersShown(!membersShown)} />
        ) : (
          <Elsewhere chat={chat} roomId={roomId} room={room} />
        )}
      </main>
      {open && membersShown && <Members key={`${open.id} members`} chat={chat} room={open} onClose={() => setMembersShown(false)} />}
    </div>
  )
}

/** The pane when there is no conversation in it. */
function Elsewhere({ chat, roomId, room }: { chat: Chat; roomId: string | null; room: Room | undefined }) {
  const [problem, setProblem] = useState('')
  const join = async () => {
    setProblem('')
    try {
      await api.join(room!.id)
      await chat.reloadRooms()
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  if (!chat.rooms) return chat.roomsProblem ? null : <Wait />
  const Heading = roomId ? 'h1' : 'h2'
  return (
    <>
      {roomId && <Link to="/" class="icon-button back" label="Back to rooms"><Icon name="back" /></Link>}
      <div class="notice">
        <Heading>{room?.name ?? (roomId ? 'No such room' : 'Pick a room')}</Heading>
        <p>
          {room ? 'Join this room to read and write in it.'
            : roomId ? 'It does not exist, or it is not open to you.'
            : 'Choose one from the list, or open a new one.'}
        </p>
        {problem && <p class="alert" role="alert">{problem}</p>}
        {room && <button type="button" class="button button--primary" onClick={() => void join()}>Join room</button>}
      </div>
    </>
  )
}
