import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

import type { Message, Room } from '@chat/server/contract'

import type { Chat } from '../chat.js'
import { recall, remember } from '../storage.js'
import { Icon, IconButton } from '../ui.js'
import { fit, isSend } from './message-item.js'

type ComposerProps = {
  chat: Chat
  room: Room
  replyTo: Message | undefined
  onCancelReply: () => void
  onPosted: () => void
  onEditLast: () => void
}

/** Where messages are written. What is not sent yet is there again after a reload. */
export function Composer({ chat, room, replyTo, onCancelReply, onPosted, onEditLast }: ComposerProps) {
  const draft = `chat.draft.${chat.account.id}.${room.id}`
  const field = useRef<HTMLTextAreaElement>(null)
  const [text, setText] = useState(() => recall(draft) ?? '')
  useLayoutEffect(() => fit(field.current!), [text])
  // A touch screen would put its keyboard over the conversation.
  useEffect(() => { if (matchMedia('(pointer: fine)').matches) field.current!.focus() }, [])
  useEffect(() => { if (replyTo) field.current!.focus() }, [replyTo])

  const change = (value: string) => {
    setText(value)
    remember(draft, value || null)
  }
  const post = () => {
    const body = text.trim()
    if (!body) return
    chat.post({ roomId: room.id, roomName: room.name, body, replyTo: replyTo?.seq ?? null })
    change('')
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
    <form class="composer" onSubmit={(event) => { event.preventDefault(); post() }}>
      {replyTo && (
        <div class="composer-reply">
          <Icon name="reply" />
          <p>Replying to <b>{replyTo.author.name}</b> <span class="subtle">{replyTo.body}</span></p>
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
          maxLength={4000}
          enterkeyhint="send"
          value={text}
          onInput={(event) => {
            change(event.currentTarget.value)
            if (event.currentTarget.value) chat.type(room.id)
          }}
          onKeyDown={key}
        />
        <button type="submit" class="send" aria-label="Send" aria-disabled={!text.trim()} title="Send"><Icon name="send" /></button>
      </div>
    </form>
  )
}
