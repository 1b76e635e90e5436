import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks'

import type { Person, Room } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import { JoinBar } from '../rooms/join-bar.js'
import { Link } from '../router.js'
import { Confirm, Icon, IconButton, Name, Wait } from '../ui/ui.js'
import { useRemembered } from './remembered.js'
import { Composer } from './composer.js'
import { MessageItem, PendingItem, type Actions } from './message-item.js'
import { rowsOf } from './rows.js'
import { useScroll } from './scroll.js'

// A tab that stays open for days must not keep everything it has ever shown.
const longRun = 400
const keptRun = 200

type ConversationProps = { chat: Chat; room: Room; membersShown: boolean; onToggleMembers: () => void }

/** One room: its messages, those on their way, and the place to write the next one. */
export function Conversation({ chat, room, membersShown, onToggleMembers }: ConversationProps) {
  const me = chat.account.id
  const [editing, setEditing] = useState<number | null>(null)
  const [remembered, setReplying] = useRemembered(`chat.reply.${me}.${room.id}`)
  const replying = Number(remembered) || null
  const [removing, setRemoving] = useState<number | null>(null)
  const [highlighted, setHighlighted] = useState<number | null>(null)
  const [current, setCurrent] = useState<number | null>(null)

  useLayoutEffect(() => {
    chat.open(room.id)
    return () => chat.open(null)
  }, [chat, room.id])

  const conversation = chat.conversations.get(room.id)
  const timeline = conversation?.timeline
  const messages = timeline?.messages ?? []
  const last = timeline?.last ?? 0

  const scroll = useScroll({
    ready: timeline?.loaded ?? false,
    onTop: () => {
      if (!conversation?.problem) void chat.conversations.loadOlder(room.id)
    },
    onBottom: () => {
      if (document.hasFocus() && !document.hidden) chat.markRead(room.id, last)
      if (messages.length > longRun && editing === null) timeline!.trim(keptRun)
    },
  })

  // Coming back to the window, people find the line where they left. What comes while they look on moves it along.
  const read = useRef(0)
  read.current = room.joined ? room.read : Infinity
  const line = useRef(read.current)
  const shownBefore = useRef(-1)
  const isLooking = scroll.atBottom && document.hasFocus() && !document.hidden
  if (isLooking && shownBefore.current >= 0 && line.current >= shownBefore.current)
    line.current = Math.max(line.current, last)
  shownBefore.current = timeline?.loaded ? last : -1
  const [, renderAnew] = useReducer((count: number) => count + 1, 0)
  useEffect(() => {
    const leave = () => {
      line.current = read.current
      renderAnew(undefined)
    }
    addEventListener('blur', leave)
    addEventListener('focus', scroll.look)
    return () => {
      removeEventListener('blur', leave)
      removeEventListener('focus', scroll.look)
    }
  }, [])

  const jump = async (seq: number) => {
    if (!(await chat.conversations.reach(room.id, seq))) return
    setHighlighted(seq)
    setCurrent(seq)
    scroll.to(seq)
  }
  const write = () => scroll.box.current?.parentElement?.querySelector<HTMLElement>('.composer textarea')?.focus()
  const actions = useMemo<Actions>(
    () => ({
      reply: (seq) => {
        setReplying(String(seq))
        write()
      },
      edit: (seq) => {
        setEditing(seq)
        if (seq === null) write()
      },
      remove: setRemoving,
      jump: (seq) => void jump(seq),
      save: (seq, body) => chat.edit(room.id, seq, body),
    }),
    [room.id],
  )
  const editLast = () => {
    const own = messages.findLast(({ author, deleted }) => author.id === me && !deleted)
    if (own) setEditing(own.seq)
  }

  const reachable = current !== null && timeline?.get(current) ? current : last
  const walk = (event: KeyboardEvent) => {
    if (!(event.target instanceof HTMLLIElement) || event.target.dataset.seq === undefined) return
    const all = [...scroll.box.current!.querySelectorAll<HTMLElement>('[data-seq]')]
    const place = all.indexOf(event.target)
    const next = { ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: all.length - 1 }[event.key]
    if (next === undefined || !all[next]) return
    event.preventDefault()
    all[next].focus()
  }

  const rows = useMemo(() => rowsOf(messages, line.current, me, new Date()), [messages, line.current, me])
  const outgoing = chat.outbox.in(room.id)
  // Stored by the server already, but something before them has not arrived yet.
  const arriving = (timeline?.held ?? []).filter(({ author, deleted }) => author.id === me && !deleted)
  const fresh = messages.filter(({ seq, author }) => seq > read.current && author.id !== me && !author.bot).length

  return (
    <>
      <header class="pane-head">
        <Link to="/" class="icon-button back" label="Back to rooms">
          <Icon name="back" />
        </Link>
        <Icon name={room.kind === 'private' ? 'lock' : 'hash'} />
        <h1>
          <Name>{room.name}</Name>
          {room.kind === 'private' && <span class="hidden"> (private)</span>}
        </h1>
        {room.joined && <IconButton icon="people" label="Members" pressed={membersShown} onClick={onToggleMembers} />}
      </header>
      {timeline?.loaded && conversation?.problem && (
        <Wait
          problem={conversation.problem}
          retry={() =>
            void (scroll.atBottom ? chat.conversations.reload(room.id) : chat.conversations.loadOlder(room.id))
          }
        />
      )}
      <div class="scroller" ref={scroll.box} onScroll={scroll.look}>
        {!timeline?.loaded && (
          <Wait problem={conversation?.problem ?? null} retry={() => void chat.conversations.reload(room.id)} />
        )}
        {conversation?.older && <Wait />}
        {timeline?.complete && (
          <p class="beginning">
            {messages.length ? (
              <>
                This is the beginning of <Name>{room.name}</Name>
              </>
            ) : (
              'Nobody has said anything yet. Be the first.'
            )}
          </p>
        )}
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
                message={row.message}
                leads={row.leads}
                own={row.message.author.id === me}
                original={row.message.replyTo === null ? undefined : timeline!.get(row.message.replyTo)}
                editing={row.message.seq === editing}
                current={row.message.seq === reachable}
                highlighted={row.message.seq === highlighted}
                joined={room.joined}
                actions={actions}
              />
            ),
          )}
          {[...arriving.map((message) => ({ ...message, roomId: room.id, queuedAt: 0 })), ...outgoing].map(
            (message, place) => (
              <PendingItem
                key={message.id}
                message={message}
                outbox={chat.outbox}
                author={message.replyTo || (!place && messages.at(-1)?.author.id !== me) ? chat.account : undefined}
              />
            ),
          )}
        </ol>
      </div>
      <div class="pane-foot">
        {!scroll.atBottom && timeline?.loaded && (
          <button type="button" class="jump" onClick={scroll.toBottom}>
            <Icon name="down" /> {fresh ? `${fresh} new ${fresh === 1 ? 'message' : 'messages'}` : 'Newest messages'}
          </button>
        )}
        <p class="typing">{saying(chat.typing(room.id))}</p>
        {room.joined ? (
          <Composer
            chat={chat}
            room={room}
            replying={replying}
            original={timeline?.get(replying ?? 0)}
            onCancelReply={() => setReplying('')}
            onPosted={() => {
              setReplying('')
              scroll.toBottom()
            }}
            onEditLast={editLast}
          />
        ) : (
          <JoinBar chat={chat} room={room} />
        )}
      </div>
      <p class="hidden" aria-live="polite">
        {chat.announcement}
      </p>
      {removing !== null && (
        <Confirm
          question="Delete this message?"
          action="Delete message"
          danger
          onClose={() => setRemoving(null)}
          send={async () => {
            await chat.remove(room.id, removing)
            setRemoving(null)
          }}
        >
          Its text will be gone for everybody.
        </Confirm>
      )}
    </>
  )
}

const saying = ([one, two, ...more]: Person[]) => {
  if (!one) return ''
  if (more.length) return 'Several people are typing…'
  if (!two)
    return (
      <>
        <Name>{one.name}</Name> is typing…
      </>
    )
  return (
    <>
      <Name>{one.name}</Name> and <Name>{two.name}</Name> are typing…
    </>
  )
}
