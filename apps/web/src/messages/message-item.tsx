import { useLayoutEffect, useRef, useState } from 'preact/hooks'

import { limits, type Message, type Person } from '@chat/server/contract'

import type { Outbox, Outgoing } from '../chat/outbox.js'
import { isNamed } from '../chat/rooms.js'
import { Alert } from '../ui/alert.js'
import { fits, Limit } from '../ui/form.js'
import { formatTime } from '../ui/format.js'
import { memo } from '../ui/hooks.js'
import { Icon, IconButton } from '../ui/icon.js'
import { Avatar, Name } from '../ui/person.js'
import { Link } from '../router.js'
import { Reactions } from '../reactions/reactions.js'
import { Body } from '../text/body.js'
import { plainTextOf } from '../text/markdown.js'

/** What the user can do with a message, which is given by its `seq`. */
export interface Actions {
  reply: (seq: number) => void
  edit: (seq: number | null) => void
  remove: (seq: number) => void
  jump: (seq: number) => void
  /** Opens the choice of emoji beside a button. */
  chooseEmoji: (seq: number, opener: HTMLElement) => void
  react: (seq: number, emoji: string, on: boolean) => void
  markUnread: (seq: number) => void
  /** Shows a person beside a button. */
  showPerson: (person: Person, opener: HTMLElement) => void
  save: (seq: number, body: string) => Promise<void>
}

type MessageItemProps = {
  roomId: string
  message: Message
  leads: boolean
  /** The id of this account. */
  me: string
  /** The message that this one replies to, if it is loaded. */
  original: Message | undefined
  editing: boolean
  /** True for the one message of the list that Tab reaches. */
  current: boolean
  highlighted: boolean
  /** Members can reply, react, edit and delete, as long as the room is not archived. */
  writable: boolean
  actions: Actions
}

export const MessageItem = memo((props: MessageItemProps) => {
  const { roomId, message, leads, me, editing, current, highlighted, writable, actions } = props
  const { seq, author, body, deleted, editedAt, postedAt, replyTo, mentions, reactions } = message
  const own = author.id === me
  const tabIndex = current ? 0 : -1
  const [pointed, setPointed] = useState(false)
  const time = (
    <Link to={`/rooms/${roomId}/${seq}`} class="time" tabIndex={tabIndex}>
      <time dateTime={postedAt}>{formatTime(new Date(postedAt))}</time>
    </Link>
  )
  return (
    <li
      class={`message${leads ? ' message--leads' : ''}${isNamed(message, me) ? ' message--named' : ''}${highlighted ? ' message--highlighted' : ''}`}
      data-seq={seq}
      tabIndex={tabIndex}
      onPointerEnter={() => setPointed(true)}
      onPointerLeave={() => setPointed(false)}
    >
      {leads ? <Avatar person={author} /> : time}
      <div class="message-main">
        {leads ? (
          <div class="message-head">
            <h3>
              <button
                type="button"
                class="author"
                tabIndex={tabIndex}
                onClick={({ currentTarget }) => actions.showPerson(author, currentTarget)}
              >
                <Name>{author.name}</Name>
              </button>
            </h3>
            {time}
          </div>
        ) : (
          <span class="hidden">{author.name}</span>
        )}
        {replyTo !== null && <Quote of={props.original} tabIndex={tabIndex} onJump={() => actions.jump(replyTo)} />}
        {deleted ? (
          <p class="body body--deleted">This message was deleted.</p>
        ) : editing ? (
          <EditForm message={message} actions={actions} />
        ) : (
          <Body text={body} mentions={mentions} me={me} mark={editedAt && 'edited'} tabIndex={tabIndex} />
        )}
        <Reactions
          reactions={reactions}
          me={me}
          writable={writable}
          tabIndex={tabIndex}
          onReact={(emoji, on) => actions.react(seq, emoji, on)}
        />
      </div>
      {/* Only where they are needed: the buttons are two thirds of the elements of a message. */}
      {writable && (current || pointed) && !deleted && !editing && (
        <div class="actions">
          <IconButton
            icon="smile"
            label="React"
            tabIndex={tabIndex}
            onClick={({ currentTarget }) => actions.chooseEmoji(seq, currentTarget)}
          />
          <IconButton icon="reply" label="Reply" tabIndex={tabIndex} onClick={() => actions.reply(seq)} />
          <IconButton
            icon="unread"
            label="Mark as unread from here"
            tabIndex={tabIndex}
            onClick={() => actions.markUnread(seq)}
          />
          <CopyLink roomId={roomId} seq={seq} tabIndex={tabIndex} />
          {own && <IconButton icon="pencil" label="Edit" tabIndex={tabIndex} onClick={() => actions.edit(seq)} />}
          {own && <IconButton icon="trash" label="Delete" tabIndex={tabIndex} onClick={() => actions.remove(seq)} />}
        </div>
      )}
    </li>
  )
})

function CopyLink({ roomId, seq, tabIndex }: { roomId: string; seq: number; tabIndex: number }) {
  const [copied, setCopied] = useState(false)
  // Pages served without TLS have no clipboard.
  if (!navigator.clipboard) return null
  const copy = async () => {
    await navigator.clipboard.writeText(new URL(`/rooms/${roomId}/${seq}`, location.href).href)
    setCopied(true)
  }
  return (
    <IconButton
      icon={copied ? 'check' : 'link'}
      label={copied ? 'Link copied' : 'Copy link'}
      tabIndex={tabIndex}
      onClick={() => void copy()}
    />
  )
}

function Quote({ of, tabIndex, onJump }: { of: Message | undefined; tabIndex: number; onJump: () => void }) {
  return (
    <button type="button" class="quote" tabIndex={tabIndex} onClick={onJump}>
      <Icon name="reply" />
      <span class="hidden">In reply to </span>
      {of ? (
        <>
          <Name>{of.author.name}</Name>{' '}
          <span class="line" dir="auto">
            {of.deleted ? 'a deleted message' : plainTextOf(of.body)}
          </span>
        </>
      ) : (
        <span class="line">an earlier message</span>
      )}
    </button>
  )
}

function EditForm({ message, actions }: { message: Message; actions: Actions }) {
  const field = useRef<HTMLTextAreaElement>(null)
  const [text, setText] = useState(message.body)
  const [problem, setProblem] = useState('')
  useLayoutEffect(() => {
    field.current!.focus()
    field.current!.setSelectionRange(text.length, text.length)
  }, [])
  useLayoutEffect(() => fit(field.current!), [text])
  const save = async () => {
    const body = text.trim()
    if (!body) return setProblem('A message cannot be empty. Delete it instead.')
    if (!fits(body, limits.message)) return
    try {
      if (body !== message.body) await actions.save(message.seq, body)
      actions.edit(null)
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
    >
      <textarea
        ref={field}
        class="text"
        aria-label="Edit message"
        rows={1}
        dir="auto"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') actions.edit(null)
          if (isSend(event)) {
            event.preventDefault()
            void save()
          }
        }}
      />
      <Limit text={text} max={limits.message} />
      <Alert>{problem}</Alert>
      <div class="form-buttons">
        <button type="button" class="button button--small" onClick={() => actions.edit(null)}>
          Cancel
        </button>
        <button type="submit" class="button button--small button--primary">
          Save
        </button>
      </div>
    </form>
  )
}

/** True for Enter. Shift+Enter starts a new line, and an input method needs Enter while it composes a word. */
export function isSend(event: KeyboardEvent): boolean {
  return event.key === 'Enter' && !event.shiftKey && !event.isComposing
}

/** Makes a text field as high as its text, in browsers where the style cannot do it. */
export function fit(field: HTMLTextAreaElement): void {
  if (CSS.supports('field-sizing', 'content')) return
  field.style.height = 'auto'
  field.style.height = `${field.scrollHeight}px`
}

type PendingItemProps = {
  message: Outgoing
  outbox: Outbox
  /** Shown above the message; undefined if the message continues the one before it. */
  author: Person | undefined
}

/** A message that is not stored yet, or that the server has refused. */
export function PendingItem({ message, outbox, author }: PendingItemProps) {
  const [copied, setCopied] = useState(false)
  const failed = message.refusal !== undefined
  return (
    <li class={`message message--${failed ? 'failed' : 'pending'}${author ? ' message--leads' : ''}`}>
      {author ? <Avatar person={author} /> : <span class="time" />}
      <div class="message-main">
        {author && (
          <div class="message-head">
            <h3>
              <Name>{author.name}</Name>
            </h3>
          </div>
        )}
        <Body text={message.body} mentions={[]} me="" mark={!failed && 'sending…'} />
        {failed && (
          <div class="failure">
            <p role="alert">Not sent: {message.refusal}</p>
            <button type="button" class="button button--small" onClick={() => outbox.retry(message.id)}>
              Retry
            </button>
            {/* Pages served without TLS have no clipboard. */}
            {navigator.clipboard && (
              <button
                type="button"
                class="button button--small"
                onClick={() => void navigator.clipboard.writeText(message.body).then(() => setCopied(true))}
              >
                {copied ? 'Copied' : 'Copy'}
              </button>
            )}
            <button type="button" class="button button--small" onClick={() => outbox.discard(message.id)}>
              Discard
            </button>
          </div>
        )}
      </div>
    </li>
  )
}
