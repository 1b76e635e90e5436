import { useMemo, useState } from 'preact/hooks'

import type { Message, Room } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import type { Timeline } from '../chat/timeline.js'
import { MessageItem, PendingItem, type Actions } from './message-item.js'
import { rowsOf } from './rows.js'

type MessageListProps = {
  chat: Chat
  room: Room
  timeline: Timeline | undefined
  /** The messages of the timeline that are near the screen. */
  shown: readonly Message[]
  /** True if `shown` ends with the newest message: then the unsent ones follow. */
  isEnd: boolean
  firstUnread: number | undefined
  editing: number | null
  highlighted: number | null
  actions: Actions
}

/** The messages near the screen. Tab reaches one of them, and the arrow keys move to the others. */
export function MessageList(props: MessageListProps) {
  const { chat, room, timeline, shown, isEnd, firstUnread, editing, highlighted, actions } = props
  const me = chat.me.account.id
  const [current, setCurrent] = useState<number | null>(null)
  const rows = useMemo(() => rowsOf(shown, firstUnread, new Date()), [shown, firstUnread])
  const last = shown.at(-1)
  const reachable = shown.some(({ seq }) => seq === current) ? current : last?.seq
  // Own messages that are stored, but come after a gap.
  const arriving = (timeline?.held ?? [])
    .filter(({ author, deleted }) => author.id === me && !deleted)
    .map((message) => ({ ...message, roomId: room.id, queuedAt: 0 }))
  const pending = isEnd ? [...arriving, ...chat.outbox.in(room.id)] : []

  const walk = (event: KeyboardEvent) => {
    if (!(event.target instanceof HTMLLIElement) || event.target.dataset.seq === undefined) return
    const all = [...event.target.parentElement!.querySelectorAll<HTMLElement>('[data-seq]')]
    const place = all.indexOf(event.target)
    const next = { ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: all.length - 1 }[event.key]
    if (next === undefined || !all[next]) return
    event.preventDefault()
    all[next].focus()
  }

  return (
    <ol
      class="messages"
      aria-label="Messages"
      onKeyDown={walk}
      onFocusIn={({ target }) => {
        const seq = target instanceof Element && target.closest<HTMLElement>('[data-seq]')?.dataset.seq
        if (seq) setCurrent(Number(seq))
      }}
    >
      {rows.map((row) =>
        row.kind === 'day' ? (
          <li key={row.key} class="day">
            <h2>{row.label}</h2>
          </li>
        ) : row.kind === 'unread' ? (
          <li key={row.key} class="unread">
            <span>New</span>
          </li>
        ) : (
          <MessageItem
            key={row.key}
            roomId={room.id}
            message={row.message}
            leads={row.leads}
            me={me}
            original={row.message.replyTo === null ? undefined : timeline!.get(row.message.replyTo)}
            editing={row.message.seq === editing}
            current={row.message.seq === reachable}
            highlighted={row.message.seq === highlighted}
            writable={room.joined && !room.archived}
            actions={actions}
          />
        ),
      )}
      {pending.map((message, place) => (
        <PendingItem
          key={message.id}
          message={message}
          outbox={chat.outbox}
          author={message.replyTo || (!place && last?.author.id !== me) ? chat.me.account : undefined}
        />
      ))}
    </ol>
  )
}
