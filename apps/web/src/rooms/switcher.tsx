import { useEffect, useState } from 'preact/hooks'

import type { Person, Room } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { navigate } from '../router.js'
import { Alert } from '../ui/alert.js'
import { Dialog } from '../ui/dialog.js'
import { useChanges } from '../ui/hooks.js'
import { Avatar, Name } from '../ui/person.js'
import { RoomIcon } from './room-icon.js'

const typingPauseMs = 150
const roomsAtMost = 8

type Choice = { id: string; room: Room } | { id: string; person: Person }

/** A dialog to open a room, or a direct conversation with a person, by typing a part of the name. */
export function Switcher({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  useChanges(chat.rooms)
  const [search, setSearch] = useState('')
  const [people, setPeople] = useState<Person[]>([])
  const [chosen, setChosen] = useState(0)
  const [problem, setProblem] = useState('')
  const wanted = search.trim().toLowerCase()

  useEffect(() => {
    let isLate = false
    const load = () =>
      api.people(search.trim()).then(
        (found) => !isLate && setPeople(found.people),
        (error: Error) => !isLate && setProblem(error.message),
      )
    const timer = setTimeout(() => void load(), wanted ? typingPauseMs : 0)
    return () => {
      isLate = true
      clearTimeout(timer)
    }
  }, [wanted])

  const rooms = (chat.rooms.list ?? [])
    .filter(({ name }) => name.toLowerCase().includes(wanted))
    .sort((a, b) => Number(b.unread > 0) - Number(a.unread > 0))
    .slice(0, roomsAtMost)
  const known = new Set(rooms.flatMap(({ people }) => (people.length === 1 ? people[0]!.id : [])))
  const choices: Choice[] = [
    ...rooms.map((room) => ({ id: room.id, room })),
    ...people
      .filter(({ id, name }) => !known.has(id) && name.toLowerCase().includes(wanted))
      .map((person) => ({ id: person.id, person })),
  ]
  const current = choices[Math.min(chosen, choices.length - 1)]

  const open = async (choice: Choice) => {
    try {
      const room = 'room' in choice ? choice.room : await chat.beginDirect([choice.person.id])
      onClose()
      navigate(`/rooms/${room.id}`)
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  const key = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (event.key === 'Enter' && !event.isComposing && current) void open(current)
    else if (step && choices.length > 0) setChosen((chosen + step + choices.length) % choices.length)
    else return
    event.preventDefault()
  }

  return (
    <Dialog title="Go to" onClose={onClose}>
      <input
        class="text"
        role="combobox"
        aria-label="Room or person"
        aria-expanded="true"
        aria-controls="choices"
        aria-activedescendant={current && `choice-${current.id}`}
        placeholder="A room or a person"
        autocomplete="off"
        value={search}
        onInput={(event) => {
          setSearch(event.currentTarget.value)
          setChosen(0)
        }}
        onKeyDown={key}
      />
      <ul id="choices" role="listbox" aria-label="Rooms and people" class="browse">
        {choices.map((choice) => (
          <li
            key={choice.id}
            id={`choice-${choice.id}`}
            role="option"
            aria-selected={choice === current}
            class="entry room"
            onClick={() => void open(choice)}
          >
            {'room' in choice ? <RoomIcon room={choice.room} /> : <Avatar person={choice.person} />}
            <Name>{'room' in choice ? choice.room.name : choice.person.name}</Name>
            {'room' in choice && choice.room.unread > 0 && <span class="badge">{choice.room.unread}</span>}
          </li>
        ))}
      </ul>
      {choices.length === 0 && <p class="subtle">Nothing has this name.</p>}
      <Alert>{problem}</Alert>
    </Dialog>
  )
}
