import type { Member } from '@chat/server/contract'

import { Avatar, Name } from '../ui/person.js'

import { everyone } from './suggest.js'

type SuggestionsProps = {
  people: readonly Member[]
  chosen: number
  onChoose: (person: Member) => void
  /** Called when this code cannot be loaded. */
  onClose: () => void
}

/** The list of people to name. The field that it belongs to handles the keys. */
export function Suggestions({ people, chosen, onChoose }: SuggestionsProps) {
  return (
    <>
      <ul id="suggestions" role="listbox" aria-label="People" class="sheet suggestions">
        {people.map((person, index) => (
          <li
            key={person.id}
            id={`suggestion-${index}`}
            role="option"
            aria-selected={index === chosen}
            class="entry room"
            // The field keeps the focus.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => onChoose(person)}
          >
            <Avatar person={person} />
            <Name>{person.name}</Name>
            {person === everyone && <small>everyone in the room</small>}
          </li>
        ))}
      </ul>
      <p class="hidden" role="status">
        {people[chosen]?.name}, {chosen + 1} of {people.length}
      </p>
    </>
  )
}
