import { useEffect, useLayoutEffect, useMemo, useState } from 'preact/hooks'

import type { Person, Room } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import { EmojiPicker } from '../reactions/later.js'
import { RoomIcon } from '../rooms/room-icon.js'
import { Link, navigate } from '../router.js'
import { Alert } from '../ui/alert.js'
import { Confirm } from '../ui/dialog.js'
import { formatCount } from '../ui/format.js'
import { useChanges, usePageKeys } from '../ui/hooks.js'
import { Icon, IconButton } from '../ui/icon.js'
import { later } from '../ui/later.js'
import { Name } from '../ui/person.js'
import { Wait } from '../ui/wait.js'
import { useRemembered } from './remembered.js'
import { Composer } from './composer.js'
import { plainTextOf } from '../text/markdown.js'
import type { Actions } from './message-item.js'
import { MessageList } from './message-list.js'
import { useNewLine } from './new-line.js'
import { isWatched } from './notifications.js'
import { firstUnreadOf } from './rows.js'
import { useScroll } from './scroll.js'

// A tab that stays open for days must not keep all messages.
const longRun = 2000
const keptRun = 1000
const PersonCard = later('PersonCard', () => import(/* webpackChunkName: "person-card" */ '../accounts/person-card.js'))
const JoinBar = later('JoinBar', () => import(/* webpackChunkName: "join-bar" */ '../rooms/join-bar.js'))
const RoomDetails = later(
  'RoomDetails',
  () => import(/* webpackChunkName: "room-details" */ '../rooms/room-details.js'),
)
const unreadNoun = { one: 'new message', other: 'new messages' }

type ConversationProps = {
  chat: Chat
  room: Room
  /** `seq` of the message in the URL, null for none. */
  linked: number | null
  membersShown: boolean
  onToggleMembers: () => void
}

/** One room: its messages, the unsent ones, and the composer. */
export function Conversation({ chat, room, linked, membersShown, onToggleMembers }: ConversationProps) {
  useChanges(chat.conversations, chat.outbox, chat.me)
  const me = chat.me.account.id
  const [editing, setEditing] = useState<number | null>(null)
  const [remembered, setReplying] = useRemembered(`chat.reply.${me}.${room.id}`)
  const replying = Number(remembered) || null
  const [removing, setRemoving] = useState<number | null>(null)
  const [reacting, setReacting] = useState<{ seq: number; opener: HTMLElement } | null>(null)
  const [met, setMet] = useState<{ person: Person; opener: HTMLElement } | null>(null)
  const [problem, setProblem] = useState('')
  const [highlighted, setHighlighted] = useState<number | null>(null)

  useLayoutEffect(() => {
    chat.open(room.id)
    return () => chat.open(null)
  }, [chat, room.id])

  const conversation = chat.conversations.get(room.id)
  const timeline = conversation?.timeline
  const loaded = timeline?.loaded ?? false
  const messages = timeline?.messages ?? []
  const newest = loaded && timeline!.live ? timeline!.last : null

  const scroll = useScroll({
    ready: loaded,
    begin: linked,
    messages,
    live: newest !== null,
    onEdge: (way) => {
      if (!conversation?.problem) void chat.conversations.loadMore(room.id, way)
    },
    onLook: (seq) => {
      if (!conversation) return
      conversation.place = seq
      if (seq !== null) return
      if (isWatched()) chat.rooms.markRead(room.id, timeline!.last)
      if (messages.length > longRun && editing === null) timeline!.trim(keptRun)
    },
  })
  useEffect(() => {
    addEventListener('focus', scroll.look)
    return () => removeEventListener('focus', scroll.look)
  }, [])
  const line = useNewLine(room.joined ? room.read : Infinity, newest, scroll.atBottom)
  const firstUnread = useMemo(() => firstUnreadOf(messages, line, me), [messages, line, me])

  const jump = async (seq: number) => {
    setHighlighted(seq)
    scroll.to(seq)
    if (!(await chat.conversations.goTo(room.id, seq))) scroll.to(null)
  }
  useEffect(() => {
    if (linked !== null && loaded) void jump(linked)
  }, [linked, loaded])
  const toNewest = async () => {
    if (linked !== null) navigate(`/rooms/${room.id}`, { replace: true })
    if (newest === null && !(await chat.conversations.goTo(room.id, null))) return
    scroll.toBottom()
  }

  const write = () => scroll.box.current?.parentElement?.querySelector<HTMLElement>('.composer textarea')?.focus()
  const react = (seq: number, emoji: string, on: boolean) => {
    setProblem('')
    chat.react(room.id, seq, emoji, on).catch((error: Error) => setProblem(error.message))
  }
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
      chooseEmoji: (seq, opener) => setReacting({ seq, opener }),
      react,
      showPerson: (person, opener) => setMet({ person, opener }),
      markUnread: (seq) => {
        setProblem('')
        chat.rooms.markUnread(room.id, seq).catch((error: Error) => setProblem(error.message))
      },
      save: (seq, body) => chat.edit(room.id, seq, body),
    }),
    [room.id],
  )
  const markRead = () => {
    if (newest !== null) chat.rooms.markRead(room.id, newest)
    void toNewest()
  }
  usePageKeys(({ key }, isWriting) => {
    // Fields and popovers have an Esc of their own.
    if (key === 'Escape' && !isWriting && !document.querySelector(':popover-open')) markRead()
  })
  const editLast = () => {
    const own = scroll.shown.findLast(({ author, deleted }) => author.id === me && !deleted)
    if (own) setEditing(own.seq)
  }
  const reload = () => void chat.conversations.reload(room.id)

  return (
    <>
      <RoomHead chat={chat} room={room} membersShown={membersShown} onToggleMembers={onToggleMembers} />
      {loaded && conversation?.problem && <Wait problem={conversation.problem} retry={reload} />}
      <div class="scroller" ref={scroll.box} onScroll={scroll.look}>
        {!loaded && <Wait problem={conversation?.problem ?? null} retry={reload} />}
        {conversation?.before && <Wait />}
        {timeline?.complete && scroll.shown[0] === messages[0] && <Beginning room={room} isEmpty={!messages.length} />}
        <MessageList
          chat={chat}
          room={room}
          timeline={timeline}
          shown={scroll.shown}
          isEnd={newest !== null && scroll.shown.at(-1) === messages.at(-1)}
          firstUnread={firstUnread}
          editing={editing}
          highlighted={highlighted}
          actions={actions}
        />
      </div>
      <div class="pane-foot">
        {!scroll.atBottom && loaded && (
          <button type="button" class="button button--primary jump" onClick={() => void toNewest()}>
            <Icon name="down" /> {room.unread ? formatCount(room.unread, unreadNoun) : 'Newest messages'}
          </button>
        )}
        <Alert>{problem}</Alert>
        <TypingLine chat={chat} room={room} />
        {room.archived ? (
          <p class="sheet join">This room is archived. You can read it, but not write.</p>
        ) : room.joined ? (
          <Composer
            chat={chat}
            room={room}
            replying={replying}
            original={timeline?.get(replying ?? 0)}
            onCancelReply={() => setReplying('')}
            onEscape={markRead}
            onPosted={() => {
              setReplying('')
              void toNewest()
            }}
            onEditLast={editLast}
          />
        ) : (
          <JoinBar chat={chat} room={room} />
        )}
      </div>
      <p class="hidden" aria-live="polite">
        {chat.announcement && `${chat.announcement.author.name}: ${plainTextOf(chat.announcement.body)}`}
      </p>
      {reacting && (
        <EmojiPicker
          key={reacting.seq}
          opener={reacting.opener}
          onPick={(emoji) => react(reacting.seq, emoji, true)}
          onClose={() => setReacting(null)}
        />
      )}
      {met && <PersonCard key={met.person.id} chat={chat} {...met} onClose={() => setMet(null)} />}
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
          This cannot be undone.
        </Confirm>
      )}
    </>
  )
}

function RoomHead({
  chat,
  room,
  membersShown,
  onToggleMembers,
}: Pick<ConversationProps, 'chat' | 'room' | 'membersShown' | 'onToggleMembers'>) {
  const [changing, setChanging] = useState(false)
  return (
    <header class="head pane-head">
      <Link to="/" class="icon-button back" label="Back to rooms">
        <Icon name="back" />
      </Link>
      <RoomIcon room={room} />
      <div class="pane-title">
        <h1>
          <Name>{room.name}</Name>
          {room.kind === 'private' && <span class="hidden"> (private)</span>}
        </h1>
        {room.topic && (
          <p class="line subtle" title={room.topic} dir="auto">
            {room.topic}
          </p>
        )}
      </div>
      {room.mine && <IconButton icon="pencil" label="Room details" onClick={() => setChanging(true)} />}
      {room.joined && <IconButton icon="people" label="Members" pressed={membersShown} onClick={onToggleMembers} />}
      {changing && <RoomDetails chat={chat} room={room} onClose={() => setChanging(false)} />}
    </header>
  )
}

function Beginning({ room, isEmpty }: { room: Room; isEmpty: boolean }) {
  if (isEmpty) return <p class="beginning">No messages yet. Write the first one.</p>
  return (
    <p class="beginning">
      This is the beginning of <Name>{room.name}</Name>
    </p>
  )
}

function TypingLine({ chat, room }: Pick<ConversationProps, 'chat' | 'room'>) {
  useChanges(chat.typing)
  return <p class="line typing">{saying(chat.typing.in(room.id))}</p>
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
