import type { Member } from '@chat/server/contract'

import { Avatar, Name } from '../ui/person.js'

const atMost = 6

/** What has been written of a name: the text between an `@` and the cursor. Null if the cursor is not in a name. */
export function nameBefore(field: HTMLTextAreaElement): string | null {
  const before = field.value.slice(0, field.selectionStart)
  return /(?:^|[^\p{L}\p{N}_])@([^@\n]{0,60})$/u.exec(before)?.[1] ?? null
}

/** Members whose first or a later name begins like this, the better matches first. */
export function suggest(members: readonly Member[], begun: string): Member[] {
  const wanted = begun.toLowerCase()
  const rank = ({ name }: Member) => {
    const lower = name.toLowerCase()
    if (lower.startsWith(wanted)) return 0
    return lower.includes(` ${wanted}`) ? 1 : 2
  }
  return members
    .filter((member) => rank(member) < 2 && member.name.toLowerCase() !== wanted)
    .sort((a, b) => rank(a) - rank(b) || Number(b.online) - Number(a.online) || a.name.localeCompare(b.name))
    .slice(0, atMost)
}

type SuggestionsProps = { people: readonly Member[]; chosen: number; onChoose: (person: Member) => void }

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
          </li>
        ))}
      </ul>
      <p class="hidden" role="status">
        {people[chosen]?.name}, {chosen + 1} of {people.length}
      </p>
    </>
  )
}
