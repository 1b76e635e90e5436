import type { Reaction } from '@chat/server/contract'

import { listNames } from '../ui/format.js'

type ReactionsProps = {
  reactions: readonly Reaction[]
  me: string
  /** Members can react, as long as the room is not archived. */
  writable: boolean
  tabIndex: number
  onReact: (emoji: string, on: boolean) => void
}

/** The emoji that people have added to a message, with their number. Each is a button that adds or removes one's own. */
export function Reactions({ reactions, me, writable, tabIndex, onReact }: ReactionsProps) {
  if (reactions.length === 0) return null
  return (
    <ul class="reactions" aria-label="Reactions">
      {reactions.map(({ emoji, people }) => {
        const own = people.some(({ id }) => id === me)
        const names = listNames(people.map(({ id, name }) => (id === me ? 'You' : name)))
        return (
          <li key={emoji}>
            <button
              type="button"
              class="reaction"
              aria-pressed={own}
              aria-disabled={!writable}
              aria-label={`${emoji} ${people.length}, ${names}`}
              tabIndex={tabIndex}
              onClick={() => writable && onReact(emoji, !own)}
            >
              <span class="reaction-emoji">{emoji}</span> {people.length}
              <span class="tip" aria-hidden="true">
                {names}
              </span>
            </button>
          </li>
        )
      })}
    </ul>
  )
}
