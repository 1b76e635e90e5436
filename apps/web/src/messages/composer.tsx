import { useLayoutEffect, useRef, useState } from 'preact/hooks'

import { limits, type Message, type Person, type Room } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import { everyone, nameBefore, suggest } from '../mentions/suggest.js'
import { EmojiPicker, insert, replaceShortcode } from '../reactions/later.js'
import { fits, Limit } from '../ui/form.js'
import { useChanges } from '../ui/hooks.js'
import { Icon, IconButton } from '../ui/icon.js'
import { later } from '../ui/later.js'
import { Name } from '../ui/person.js'
import { plainTextOf } from '../text/markdown.js'
import { fit, isSend } from './message-item.js'
import { useRemembered } from './remembered.js'

const Suggestions = later(
  'Suggestions',
  () => import(/* webpackChunkName: "suggestions" */ '../mentions/suggestions.js'),
)

type ComposerProps = {
  chat: Chat
  room: Room
  /** `seq` of the message to reply to, null for none. */
  replying: number | null
  /** That message, if it is loaded. */
  original: Message | undefined
  onCancelReply: () => void
  /** Esc was pressed, and there is no reply to cancel. */
  onEscape: () => void
  onPosted: () => void
  onEditLast: () => void
}

/** The form for new messages. A draft survives a reload. */
export function Composer(props: ComposerProps) {
  const { chat, room, replying, original, onCancelReply, onEscape, onPosted, onEditLast } = props
  const field = useRef<HTMLTextAreaElement>(null)
  const [text, setText] = useRemembered(`chat.draft.${chat.me.account.id}.${room.id}`)
  const [picking, setPicking] = useState<HTMLElement | null>(null)
  const [begun, setBegun] = useState<string | null>(null)
  const [chosen, setChosen] = useState(0)
  useChanges(chat.members)
  const members = chat.members.get(room.id) ?? []
  const nameable = room.mine ? [...members, everyone] : members
  const people = begun === null ? [] : suggest(nameable, begun)
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
  const lookForName = (field: HTMLTextAreaElement) => {
    const name = nameBefore(field)
    if (name !== begun) setChosen(0)
    setBegun(name)
    if (name !== null) chat.members.want(room.id)
  }
  const name = (person: Person) => {
    const at = field.current!.selectionStart
    insert(field.current!, `@${person.name} `, at - begun!.length - 1, at)
  }
  /** Handles a key for the list of people. Returns false if it is not for the list. */
  const chooseByKey = ({ key, isComposing }: KeyboardEvent): boolean => {
    if (people.length === 0 || isComposing) return false
    const step = { ArrowDown: 1, ArrowUp: -1 }[key]
    if (step) setChosen((chosen + step + people.length) % people.length)
    else if (key === 'Enter' || key === 'Tab') name(people[chosen]!)
    else if (key === 'Escape') setBegun(null)
    else return false
    return true
  }
  const key = (event: KeyboardEvent) => {
    if (chooseByKey(event)) return event.preventDefault()
    if (isSend(event)) {
      event.preventDefault()
      post()
    }
    if (event.key === 'Escape') {
      if (replying === null) onEscape()
      else onCancelReply()
    }
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
      {people.length > 0 && (
        <Suggestions people={people} chosen={chosen} onChoose={name} onClose={() => setBegun(null)} />
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
          aria-autocomplete="list"
          aria-controls={people.length > 0 ? 'suggestions' : undefined}
          aria-activedescendant={people.length > 0 ? `suggestion-${chosen}` : undefined}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value)
            if (event.currentTarget.value) chat.typing.tell(room.id)
            void replaceShortcode(event.currentTarget)
            lookForName(event.currentTarget)
          }}
          onSelect={(event) => lookForName(event.currentTarget)}
          onBlur={() => setBegun(null)}
          onKeyDown={key}
        />
        <IconButton icon="smile" label="Insert emoji" onClick={({ currentTarget }) => setPicking(currentTarget)} />
        <button type="submit" class="icon-button send" aria-label="Send" aria-disabled={!sendable} title="Send">
          <Icon name="send" />
        </button>
      </div>
      <Limit text={text} max={limits.message} />
      {picking && (
        <EmojiPicker
          opener={picking}
          onPick={(emoji) => {
            insert(field.current!, emoji)
            field.current!.focus()
          }}
          onClose={() => setPicking(null)}
        />
      )}
    </form>
  )
}
