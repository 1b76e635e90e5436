import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

import type { Message } from '@chat/server/contract'

/** At most `windowSize` messages are in the page. Near one of its ends, the window moves by `step` messages. */
const windowSize = 150
const step = 10
/** Pixels. */
const near = 600
const nearBottom = 48

type ScrollOptions = {
  ready: boolean
  /** `seq` of the message to begin at; null for the first unread one. */
  begin: number | null
  /** A run without holes. */
  messages: readonly Message[]
  /** True if the run ends with the newest message. */
  live: boolean
  /** Called when messages before or after the run are needed. */
  onEdge: (way: 'before' | 'after') => void
  /** Called when the position may have changed. `seq` is the first message on the screen, null at the newest ones. */
  onLook: (seq: number | null) => void
}

/** The last position. */
type Place = {
  /** True at the bottom. */
  pinned: boolean
  /** `seq` of the last message of the run. */
  last: number
  /** `seq` of the first message on the screen. */
  seq?: string | undefined
  /** Pixels from the upper edge of the box to the text of that message. */
  top: number
  scrollTop: number
  /** The greatest possible `scrollTop`. */
  range: number
}

/**
 * Keeps the position in a list of messages. Only those near the screen are in the page. At the bottom, the list stays
 * at the bottom. Elsewhere, the first text on the screen stays where it is when messages are added or removed.
 *
 * Each element has the `seq` of its message in `data-seq`. `shown` are the messages to render.
 */
export function useScroll({ ready, begin, messages, live, onEdge, onLook }: ScrollOptions) {
  const box = useRef<HTMLDivElement>(null)
  const [atBottom, setAtBottom] = useState(true)
  /** `seq` of the first message in the page; null for the last `windowSize` of the run. */
  const [from, setFrom] = useState<number | null>(null)
  const first = messages[0]?.seq ?? 0
  const lastFrom = Math.max(first, first + messages.length - windowSize)
  const start = Math.min(Math.max(from ?? lastFrom, first), lastFrom)
  const shown = messages.slice(start - first, start - first + windowSize)

  const place = useRef<Place>({ pinned: true, last: 0, top: 0, scrollTop: 0, range: 0 })
  const placed = useRef(false)
  const target = useRef(begin)

  // It must be read before the list changes: if the list becomes shorter, the browser may reduce `scrollTop`.
  const scrollTopBefore = box.current?.scrollTop
  const last = messages.at(-1)?.seq ?? 0

  const find = (seq: string | number) => box.current!.querySelector<HTMLElement>(`[data-seq="${seq}"]`)

  const look = () => {
    const element = box.current
    if (!element || !placed.current || target.current !== null) return
    const { scrollTop } = element
    const range = rangeOf(element)
    const below = range - scrollTop
    const pinned = live && start === lastFrom && below < nearBottom
    const upper = firstBelow(element.querySelectorAll<HTMLElement>('[data-seq]'), scrollTop)
    const top = upper ? textTop(upper, element) : 0
    place.current = { pinned, last, seq: upper?.dataset.seq, top, scrollTop, range }
    setAtBottom(pinned)
    onLook(pinned ? null : Number(upper?.dataset.seq ?? first))
    let next = pinned ? null : start
    if (scrollTop < near) {
      // At the beginning of the run, this takes effect when the messages before it arrive.
      if (!pinned) next = start - step
      if (start === first) onEdge('before')
    } else if (!pinned && below < near) {
      if (start < lastFrom) next = start + step
      else if (!live) onEdge('after')
    }
    setFrom(next)
  }

  const settle = (scrollTop = box.current!.scrollTop) => {
    const element = box.current!
    const { pinned, seq, top } = place.current
    const scrolled = scrollTop - place.current.scrollTop
    const message = target.current === null ? null : find(target.current)
    if (message) {
      placed.current = true
      target.current = null
      message.scrollIntoView({ block: 'center' })
      message.focus({ preventScroll: true })
    } else if (!placed.current) {
      placed.current = true
      const unread = element.querySelector<HTMLElement>('.unread')
      if (unread) element.scrollTop = unread.offsetTop - element.clientHeight / 3
      else element.scrollTop = element.scrollHeight
    } else if (pinned) {
      // The user may have scrolled, and the event has not arrived yet.
      if (scrolled) look()
      // A user who has stopped a little above the bottom stays there until the list changes.
      else if (last !== place.current.last || rangeOf(element) !== place.current.range)
        element.scrollTop = element.scrollHeight
    } else if (seq !== undefined) {
      const upper = find(seq)
      const moved = upper ? Math.round(textTop(upper, element) - top + scrolled) : 0
      if (moved) element.scrollTop += moved
    }
  }

  useLayoutEffect(() => {
    if (!ready) return
    settle(scrollTopBefore)
    look()
  })
  const now = useRef({ look, settle })
  now.current = { look, settle }
  // The window, the keyboard of a phone and a growing text field change the height.
  useEffect(() => {
    const watcher = new ResizeObserver(() => placed.current && box.current && now.current.settle())
    watcher.observe(box.current!)
    return () => watcher.disconnect()
  }, [])

  return {
    box,
    look: useCallback(() => now.current.look(), []),
    atBottom,
    shown,
    /** Shows a message in the middle and gives it the focus, as soon as it is in the run. Null cancels that. */
    to: (seq: number | null) => {
      target.current = seq
      if (seq === null || find(seq)) {
        settle()
        look()
      } else setFrom(seq - windowSize / 2)
    },
    toBottom: () => {
      const element = box.current!
      target.current = null
      setFrom(null)
      element.scrollTop = element.scrollHeight
      place.current = { pinned: true, last: 0, top: 0, scrollTop: element.scrollTop, range: 0 }
    },
  }
}

/** The greatest possible `scrollTop`. */
const rangeOf = ({ scrollHeight, clientHeight }: HTMLElement) => scrollHeight - clientHeight

/** Pixels from the upper edge of `box` to the text of a message. The name above it can vanish when messages are added. */
const textTop = (message: HTMLElement, box: HTMLElement) =>
  message.querySelector('.body, .edit')!.getBoundingClientRect().top - box.getBoundingClientRect().top

/** The first element whose lower edge is below `top`; `elements` are in order. */
const firstBelow = (elements: NodeListOf<HTMLElement>, top: number) => {
  let [low, high] = [0, elements.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const { offsetTop, offsetHeight } = elements[middle]!
    if (offsetTop + offsetHeight > top) high = middle
    else low = middle + 1
  }
  return elements[low]
}
