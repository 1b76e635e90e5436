import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

import { limits, type Room, type RoomPage } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { Link } from '../router.js'
import { Dialog } from '../ui/dialog.js'
import { fits, Limit } from '../ui/form.js'
import { Icon } from '../ui/icon.js'
import { Name } from '../ui/person.js'
import { Wait } from '../ui/wait.js'

const typingPauseMs = 200

/** The dialog with the public rooms to join: all of them, or those found by name, page by page. */
export function BrowseRooms({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const [search, setSearch] = useState('')
  const [found, setFound] = useState<(RoomPage & { search: string }) | null>(null)
  const [problem, setProblem] = useState('')
  const list = useRef<HTMLUListElement>(null)
  const turn = useRef(0)
  const resumeAt = useRef(-1)

  const load = async (search: string, shown?: RoomPage | null) => {
    const mine = ++turn.current
    resumeAt.current = shown ? list.current!.children.length : -1
    setProblem('')
    try {
      const { rooms, next } = await api.publicRooms(search, shown?.next)
      // The answer to an older search must not replace a newer one.
      if (mine === turn.current) setFound({ search, rooms: [...(shown?.rooms ?? []), ...rooms], next })
    } catch (error) {
      if (mine === turn.current) setProblem((error as Error).message)
    }
  }
  useEffect(() => {
    if (!fits(search, limits.name)) return
    const timer = setTimeout(() => void load(search), search ? typingPauseMs : 0)
    return () => clearTimeout(timer)
  }, [search, chat.connection.count])
  useEffect(() => chat.onRoomOpened((room) => setFound((found) => found && withRoom(found, room))), [chat])
  // “Show more” may be gone after the last page, so the focus moves to the first new room.
  useLayoutEffect(() => {
    list.current?.querySelectorAll('a')[resumeAt.current]?.focus()
    resumeAt.current = -1
  }, [found])
  const rooms = found?.rooms.filter(({ id }) => !chat.rooms.list?.some((own) => own.id === id)) ?? []

  return (
    <Dialog title="Browse rooms" onClose={onClose}>
      <div class="field">
        <label>
          Search by name
          {/* In a field of type search, Esc would clear the field before it closes the dialog. */}
          <input dir="auto" autocomplete="off" onInput={({ currentTarget: { value } }) => setSearch(value.trim())} />
        </label>
        <Limit text={search} max={limits.name} />
        <p class="hint" role="status">
          {found &&
            (rooms.length
              ? `${rooms.length}${found.next ? '+' : ''} to join`
              : found.search
                ? `No other rooms match “${found.search}”.`
                : 'You have joined all public rooms.')}
        </p>
      </div>
      <div class="browse">
        {/* Only after a click that the link has handled, not after one that opens a new tab. */}
        <ul ref={list} onClick={(event) => event.defaultPrevented && onClose()}>
          {rooms.map(({ id, name }) => (
            <li key={id}>
              <Link to={`/rooms/${id}`} class="entry room">
                <Icon name="hash" />
                <Name>{name}</Name>
              </Link>
            </li>
          ))}
        </ul>
        {(!found || problem) && (
          <Wait problem={problem} retry={() => void load(search, found?.search === search ? found : null)} />
        )}
        {found?.next && !problem && (
          <button type="button" class="button button--small" onClick={() => void load(found.search, found)}>
            Show more
          </button>
        )}
      </div>
      <div class="form-buttons">
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}

/** Adds a new room in its place, if it matches the search and belongs to the loaded pages. */
const withRoom = (found: RoomPage & { search: string }, room: Room) => {
  const key = (name: string) => name.toLowerCase()
  const isOnPage = key(room.name).includes(key(found.search)) && !(found.next && key(room.name) > key(found.next))
  if (!isOnPage || found.rooms.some(({ id }) => id === room.id)) return found
  const place = found.rooms.filter(({ name }) => key(name) < key(room.name)).length
  return { ...found, rooms: [...found.rooms.slice(0, place), room, ...found.rooms.slice(place)] }
}
