import { useState } from 'preact/hooks'

import { Popover } from '../ui/popover.js'

import { emoji } from './emoji.js'

type EmojiPickerProps = {
  /** The button that opened it. It appears beside this button. */
  opener: HTMLElement
  onPick: (emoji: string) => void
  onClose: () => void
}

const quick = ['👍', '❤️', '😂', '🎉', '👀', '✅']
const columns = 8

/** Emoji to choose from: a bar of six, all others in a grid, and a search by name. Esc or a click outside closes it. */
export function EmojiPicker({ opener, onPick, onClose }: EmojiPickerProps) {
  const [search, setSearch] = useState('')
  const wanted = search.trim().toLowerCase()
  const found = emoji.filter(({ names }) => names.some((name) => name.includes(wanted)))

  const walk = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement
    const all = [...target.closest('[popover]')!.querySelectorAll<HTMLElement>('button')]
    const at = all.indexOf(target)
    const rows = at < quick.length ? quick.length : columns
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: rows }[event.key]
    if (at < 0 || step === undefined) return
    event.preventDefault()
    all[at + step]?.focus()
  }
  const button = (char: string, name: string) => (
    <button type="button" class="emoji" aria-label={name} title={name} data-closes onClick={() => onPick(char)}>
      {char}
    </button>
  )

  return (
    <Popover label="Choose an emoji" class="sheet emoji-picker" opener={opener} onClose={onClose} onKeyDown={walk}>
      <div class="emoji-bar">
        {quick.map((char) => button(char, emoji.find((each) => each.char === char)?.names[0] ?? char))}
      </div>
      <input
        type="search"
        aria-label="Search emoji"
        placeholder="Search"
        value={search}
        onInput={(event) => setSearch(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return
          // The picker may be inside a form.
          event.preventDefault()
          if (!found[0]) return
          onPick(found[0].char)
          event.currentTarget.closest<HTMLElement>('[popover]')!.hidePopover()
        }}
      />
      <div class="emoji-grid">{found.map(({ char, names }) => button(char, names[0]!))}</div>
      {found.length === 0 && <p class="subtle">No emoji has this name.</p>}
    </Popover>
  )
}
