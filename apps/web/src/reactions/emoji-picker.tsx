import { useLayoutEffect, useRef, useState } from 'preact/hooks'

import { emoji } from './emoji.js'

type EmojiPickerProps = {
  /** The button that opened it. It appears beside this button. */
  opener: HTMLElement
  onPick: (emoji: string) => void
  onClose: () => void
}

const quick = ['👍', '❤️', '😂', '🎉', '👀', '✅']
const columns = 8
const gap = 6

/** Emoji to choose from: a bar of six, all others in a grid, and a search by name. Esc or a click outside closes it. */
export function EmojiPicker({ opener, onPick, onClose }: EmojiPickerProps) {
  const popover = useRef<HTMLDivElement>(null)
  const [search, setSearch] = useState('')
  const wanted = search.trim().toLowerCase()
  const found = emoji.filter(({ names }) => names.some((name) => name.includes(wanted)))

  useLayoutEffect(() => {
    const element = popover.current!
    element.showPopover()
    const { top, bottom, right } = opener.getBoundingClientRect()
    const { width, height } = element.getBoundingClientRect()
    const above = top - height - gap
    const below = Math.max(gap, Math.min(bottom + gap, innerHeight - height - gap))
    element.style.left = `${Math.max(gap, Math.min(right - width, innerWidth - width - gap))}px`
    element.style.top = `${above >= gap ? above : below}px`
    element.querySelector('button')!.focus()
  }, [])

  const pick = (chosen: string) => {
    popover.current!.hidePopover()
    onPick(chosen)
  }
  const walk = (event: KeyboardEvent) => {
    const all = [...popover.current!.querySelectorAll<HTMLElement>('button')]
    const at = all.indexOf(event.target as HTMLElement)
    const rows = at < quick.length ? quick.length : columns
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: rows }[event.key]
    if (at < 0 || step === undefined) return
    event.preventDefault()
    all[at + step]?.focus()
  }
  const button = (char: string, name: string) => (
    <button type="button" class="emoji" aria-label={name} title={name} onClick={() => pick(char)}>
      {char}
    </button>
  )

  return (
    <div
      ref={popover}
      popover="auto"
      role="dialog"
      aria-label="Choose an emoji"
      class="sheet emoji-picker"
      onKeyDown={walk}
      onToggle={(event) => event.newState === 'closed' && onClose()}
    >
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
          if (found[0]) pick(found[0].char)
        }}
      />
      <div class="emoji-grid">{found.map(({ char, names }) => button(char, names[0]!))}</div>
      {found.length === 0 && <p class="subtle">No emoji has this name.</p>}
    </div>
  )
}
