import { useState } from 'preact/hooks'

/** The name of a person or a room, on one line. Its writing direction does not affect the text around it. */
export const Name = ({ children }: { children: string }) => (
  <bdi class="name" title={children}>
    {children}
  </bdi>
)

const hues = 12

/** The avatar of a person, or initials on a colour. Hidden from screen readers, because the name is beside it. */
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
  const hue = [...person.id].reduce((sum, char) => (sum * 31 + char.codePointAt(0)!) >>> 0, 7) % hues
  return (
    <span class={`avatar${size}`} style={{ '--hue': (hue * 360) / hues }} aria-hidden="true">
      {initials.toUpperCase()}
    </span>
  )
}
