import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

import { limits, type FoundPage, type Room } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { Link } from '../router.js'
import { Dialog } from '../ui/dialog.js'
import { Field, Form } from '../ui/form.js'
import { compareNames, formatDay, formatTime } from '../ui/format.js'
import { useChanges } from '../ui/hooks.js'
import { Avatar, Name } from '../ui/person.js'

type Where = Parameters<typeof api.search>[0]

/** A dialog to search messages, in one room or in all, and to open a found one in its place. */
export function Search({ chat, room, onClose }: { chat: Chat; room: Room | undefined; onClose: () => void }) {
  const [found, setFound] = useState<FoundPage | null>(null)
  const where = useRef<Where>({ text: '' })
  const now = new Date()
  useChanges(chat.members)
  // Without the members, only the choice of an author is missing.
  useEffect(() => void (room && chat.members.want(room.id)), [])
  const authors = (room && chat.members.get(room.id)?.sort((a, b) => compareNames(a.name, b.name))) ?? [chat.me.account]

  const search = async (wanted: Record<string, string>) => {
    const set = Object.entries(wanted).filter(([, value]) => value !== '')
    where.current = Object.fromEntries(set) as unknown as Where
    setFound(await api.search(where.current))
  }
  const more = async (after: string) => {
    const page = await api.search({ ...where.current, after })
    setFound({ ...page, found: [...(found?.found ?? []), ...page.found] })
  }

  return (
    <Dialog title="Search messages" onClose={onClose}>
      <Form action="Search" send={search} onCancel={onClose}>
        <Field label="Words" name="text" maxLength={limits.search} autocomplete="off" focused />
        <div class="search-where">
          <Choice label="In" name="roomId">
            <option value="">All my rooms</option>
            {room && <option value={room.id}>{room.name}</option>}
          </Choice>
          <Choice label="By" name="authorId">
            <option value="">Anyone</option>
            {authors.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Choice>
          <Day label="From" name="since" />
          <Day label="To" name="until" />
        </div>
      </Form>
      <p class="hidden" role="status">
        {found && `${found.found.length}${found.next ? '+' : ''} found`}
      </p>
      {found?.found.length === 0 && <p class="found subtle">No message has these words.</p>}
      {/* Only after a click that the link has handled, not after one that opens a new tab. */}
      <ol class="found" aria-label="Found messages" onClick={(event) => event.defaultPrevented && onClose()}>
        {found?.found.map(({ roomId, seq, author, postedAt, excerpt }) => (
          <li key={`${roomId} ${seq}`}>
            <Link to={`/rooms/${roomId}/${seq}`} class="entry">
              <Avatar person={author} />
              <span>
                <Name>{author.name}</Name>{' '}
                <small>
                  {chat.rooms.get(roomId)?.name}, {formatDay(new Date(postedAt), now)} {formatTime(new Date(postedAt))}
                </small>
                <span dir="auto">{excerpt.map((part, index) => (index % 2 ? <mark>{part}</mark> : part))}</span>
              </span>
            </Link>
          </li>
        ))}
      </ol>
      {found?.next && <Form action="Show more" send={() => more(found.next!)} />}
    </Dialog>
  )
}

function Choice({ label, name, children }: { label: string; name: string; children: ComponentChildren }) {
  return (
    <div class="field">
      <label>
        {label}
        <select name={name}>{children}</select>
      </label>
    </div>
  )
}

function Day({ label, name }: { label: string; name: string }) {
  return (
    <div class="field">
      <label>
        {label}
        <input type="date" name={name} />
      </label>
    </div>
  )
}
