import { useLayoutEffect, useRef } from 'preact/hooks'

import type { Message, Room } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import { fits, Limit } from '../ui/form.js'
import { Icon, IconButton } from '../ui/icon.js'
import { Name } from '../ui/person.js'
import { bodyLimit, fit, isSend } from './message-item.js'
import { useRemembered } from './remembered.js'

type ComposerProps = {
  chat: Chat
  room: Room
  /** `seq` of the message that is answered, null for none, and the message itself where it is at hand. */
  replying: number | null
  original: Message | undefined
  onCancelReply: () => void
  onPosted: () => void
  onEditLast: () => void
}

/** Where messages are written. What is not sent yet is there again after a reload. */
export function Composer({ chat, room, replying, original, onCancelReply, onPosted, onEditLast }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null)
  const [text, setText] = useRemembered(`chat.draft.${chat.me.account.id}.${room.id}`)
  const body = text.trim()
  const sendable = body !== '' && fits(body, bodyLimit)
  useLayoutEffect(() => fit(field.current!), [text])
  // A touch screen would put its keyboard over the conversation. Later than this, somebody may have gone elsewhere.
  useLayoutEffect(() => {
    if (matchMedia('(pointer: fine)').matches) field.current!.focus()
  }, [])

  const post = () => {
    if (!sendable) return
    chat.post({ roomId: room.id, roomName: room.name, body, replyTo: replying })
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
                <Name>{original.author.name}</Name> <bdi class="subtle">{original.body}</bdi>
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
      <Limit text={text} max={bodyLimit} />
    </form>
  )
}
