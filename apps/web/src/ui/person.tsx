import { useState } from 'preact/hooks'

/** A name of a person or a room, on one line: in its own direction, which does not turn what stands around it. */
export const Name = ({ children }: { children: string }) => (
  <bdi class="name" title={children}>
    {children}
  </bdi>
)

const tints = 6

/** A picture of somebody, or the initials on a colour of their own. For the eyes only: the name stands beside it. */
export function Avatar({
  person,
  large,
}: {
  person: { id: string; name: string; avatarUrl: string | null }
  large?: boolean
}) {
  const [broken, setBroken] = useState<string | null>(null)
  const size = large ? ' avatar--large' : ''
  if (person.avatarUrl && person.avatarUrl !== broken) {
    return (
      <img
        class={`avatar${size}`}
        src={person.avatarUrl}
        alt=""
        width="40"
        height="40"
        onError={() => setBroken(person.avatarUrl)}
      />
    )
  }
  const words = person.name.trim().split(/\s+/)
  const initials = [words[0], words.length > 1 ? words.at(-1) : ''].map((word) => [...(word ?? '')][0] ?? '').join('')
  const tint = [...person.id].reduce((sum, char) => (sum * 31 + char.codePointAt(0)!) >>> 0, 7) % tints
  return (
    <span class={`avatar${size} tint-${tint}`} aria-hidden="true">
      {initials.toUpperCase()}
    </span>
  )
}
