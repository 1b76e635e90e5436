import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

import type { Message } from '@chat/server/contract'

/** At most `windowSize` messages are in the page. Near one of its ends, the window moves by `step` messages. */
const windowSize = 150
const step = 50
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

/**
 * Keeps the position in a list of messages. Only those near the screen are in the page. At the bottom, the list stays
 * at the bottom. Elsewhere, the first message on the screen stays where it is when others are added or removed.
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

  /** The last position: at the bottom, or with the message `seq` this many pixels below the upper edge. */
  const place = useRef<{ pinned: boolean; seq?: string | undefined; top: number; scrollTop: number }>({
    pinned: true,
    top: 0,
    scrollTop: 0,
  })
  const placed = useRef(false)
  const target = useRef(begin)

  const find = (seq: string | number) => box.current!.querySelector<HTMLElement>(`[data-seq="${seq}"]`)

  const look = () => {
    const element = box.current
    if (!element || !placed.current || target.current !== null) return
    const { scrollTop, scrollHeight, clientHeight } = element
    const below = scrollHeight - scrollTop - clientHeight
    const pinned = live && start === lastFrom && below < nearBottom
    const upper = firstBelow(element.querySelectorAll<HTMLElement>('[data-seq]'), scrollTop)
    place.current = { pinned, seq: upper?.dataset.seq, top: upper ? upper.offsetTop - scrollTop : 0, scrollTop }
    setAtBottom(pinned)
    onLook(pinned ? null : Number(upper?.dataset.seq ?? first))
    let next = pinned ? null : start
    if (scrollTop < near) {
      if (start > first) next = start - step
      else onEdge('before')
    } else if (!pinned && below < near) {
      if (start < lastFrom) next = start + step
      else if (!live) onEdge('after')
    }
    setFrom(next)
  }

  const settle = () => {
    const element = box.current!
    const { pinned, seq, top, scrollTop } = place.current
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
      if (element.scrollTop !== scrollTop) look()
      else element.scrollTop = element.scrollHeight
    } else if (seq !== undefined) {
      const scrolled = element.scrollTop - scrollTop
      const upper = find(seq)
      if (upper && upper.offsetTop - top !== scrollTop) element.scrollTop = upper.offsetTop - top + scrolled
    }
  }

  useLayoutEffect(() => {
    if (!ready) return
    settle()
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
      place.current = { pinned: true, top: 0, scrollTop: element.scrollTop }
    },
  }
}

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
