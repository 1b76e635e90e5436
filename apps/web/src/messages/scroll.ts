import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

const nearTop = 600
const nearBottom = 48

/**
 * Keeps the place in a list that grows at both ends. At the bottom it stays at the bottom; elsewhere the message at the
 * upper edge stays where it is, whatever comes or goes above it. Begins at the first unread message.
 *
 * Messages carry their number in `data-seq`. `onTop` and `onBottom` are called whenever the place is near that end.
 */
export function useScroll({ ready, onTop, onBottom }: { ready: boolean; onTop: () => void; onBottom: () => void }) {
  const box = useRef<HTMLDivElement>(null)
  const [atBottom, setAtBottom] = useState(true)
  /** Where we were when last seen: at the bottom, or with this message this far below the upper edge. */
  const place = useRef<{ pinned: boolean; seq?: string | undefined; top: number; scrollTop: number }>({
    pinned: true,
    top: 0,
    scrollTop: 0,
  })
  const placed = useRef(false)
  const target = useRef<number | null>(null)

  const find = (seq: string | number) => box.current!.querySelector<HTMLElement>(`[data-seq="${seq}"]`)

  const look = () => {
    const element = box.current
    if (!element || !placed.current) return
    const { scrollTop, scrollHeight, clientHeight } = element
    const pinned = scrollHeight - scrollTop - clientHeight < nearBottom
    const upper = firstBelow(element.querySelectorAll<HTMLElement>('[data-seq]'), scrollTop)
    place.current = { pinned, seq: upper?.dataset.seq, top: upper ? upper.offsetTop - scrollTop : 0, scrollTop }
    setAtBottom(pinned)
    if (scrollTop < nearTop) onTop()
    if (pinned) onBottom()
  }

  const settle = () => {
    const element = box.current!
    const { pinned, seq, top, scrollTop } = place.current
    if (target.current !== null && find(target.current)) {
      const message = find(target.current)!
      target.current = null
      message.scrollIntoView({ block: 'center' })
      message.focus({ preventScroll: true })
    } else if (!placed.current) {
      placed.current = true
      const unread = element.querySelector<HTMLElement>('.unread')
      if (unread) element.scrollTop = unread.offsetTop - element.clientHeight / 3
      else element.scrollTop = element.scrollHeight
    } else if (element.scrollTop !== scrollTop) {
      // Somebody has just scrolled, and the event is still to come: theirs is the place to keep.
      look()
    } else if (pinned) {
      element.scrollTop = element.scrollHeight
    } else if (seq !== undefined) {
      const upper = find(seq)
      if (upper && upper.offsetTop - element.scrollTop !== top) element.scrollTop = upper.offsetTop - top
    }
  }

  useLayoutEffect(() => {
    if (!ready) return
    settle()
    look()
  })
  // The window, the keyboard of a phone or a growing text field may take room away.
  useEffect(() => {
    const watcher = new ResizeObserver(() => placed.current && box.current && settle())
    watcher.observe(box.current!)
    return () => watcher.disconnect()
  }, [])

  return {
    box,
    look,
    atBottom,
    /** Shows a message in the middle and puts the focus on it. */
    to: (seq: number) => {
      target.current = seq
      settle()
      look()
    },
    toBottom: () => {
      box.current!.scrollTop = box.current!.scrollHeight
      look()
    },
  }
}

/** The first element whose lower edge is below `top`; `elements` stand in order. */
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
