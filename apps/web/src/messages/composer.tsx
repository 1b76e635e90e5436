import { useLayoutEffect, useRef } from 'preact/hooks'

import { limits, type Message, type Room } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import { fits, Limit } from '../ui/form.js'
import { Icon, IconButton } from '../ui/icon.js'
import { Name } from '../ui/person.js'
import { plainTextOf } from '../text/markdown.js'
import { fit, isSend } from './message-item.js'
import { useRemembered } from './remembered.js'

type ComposerProps = {
  chat: Chat
  room: Room
  /** `seq` of the message to reply to, null for none. */
  replying: number | null
  /** That message, if it is loaded. */
  original: Message | undefined
  onCancelReply: () => void
  onPosted: () => void
  onEditLast: () => void
}

/** The form for new messages. A draft survives a reload. */
export function Composer({ chat, room, replying, original, onCancelReply, onPosted, onEditLast }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null)
  const [text, setText] = useRemembered(`chat.draft.${chat.me.account.id}.${room.id}`)
  const body = text.trim()
  const sendable = body !== '' && fits(body, limits.message)
  useLayoutEffect(() => fit(field.current!), [text])
  // Not on a touch screen: its keyboard would cover the conversation. And not later: the user may have moved the focus.
  useLayoutEffect(() => {
    if (matchMedia('(pointer: fine)').matches) field.current!.focus()
  }, [])

  const post = () => {
    if (!sendable) return
    chat.post({ roomId: room.id, roomName: room.name, body, replyTo: replying })
    chat.typing.sent()
    setText('')
    onPosted()
    field.current!.focus()
  }
  const key = (event: KeyboardEvent) => {
    if (isSend(event)) {
      event.preventDefault()
      post()
    }
    if (event.key === 'Escape') onCancelReply()
    if (event.key === 'ArrowUp' && text === '') {
      event.preventDefault()
      onEditLast()
    }
  }

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        post()
      }}
    >
      {replying !== null && (
        <div class="composer-reply">
          <Icon name="reply" />
          <p class="line">
            Replying to{' '}
            {original ? (
              <>
                <Name>{original.author.name}</Name> <bdi class="subtle">{plainTextOf(original.body)}</bdi>
              </>
            ) : (
              'an earlier message'
            )}
          </p>
          <IconButton icon="close" label="Cancel reply" onClick={onCancelReply} />
        </div>
      )}
      <div class="composer-row">
        <textarea
          ref={field}
          class="text"
          aria-label="Message"
          placeholder={`Message ${room.name}`}
          rows={1}
          dir="auto"
          enterkeyhint="send"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value)
            if (event.currentTarget.value) chat.typing.tell(room.id)
          }}
          onKeyDown={key}
        />
        <button type="submit" class="icon-button send" aria-label="Send" aria-disabled={!sendable} title="Send">
          <Icon name="send" />
        </button>
      </div>
      <Limit text={text} max={limits.message} />
    </form>
  )
}
