import { useEffect, useReducer, useRef } from 'preact/hooks'

import { isWatched } from './notifications.js'

/**
 * The `seq` after which the line “New” stands. While the user looks at the newest messages, the line moves with them.
 * When the user leaves the page, it stays after the last message that was read. It moves back with the read mark.
 *
 * @param read `seq` of the last message that the account has read
 * @param newest `seq` of the newest message; null if it is not loaded
 */
export function useNewLine(read: number, newest: number | null, atBottom: boolean): number {
  const line = useRef(read)
  const latestRead = useRef(read)
  // The user has marked messages as unread.
  if (read < latestRead.current) line.current = read
  latestRead.current = read
  const newestBefore = useRef<number | null>(null)
  if (newest !== null) {
    const hadAllRead = newestBefore.current !== null && line.current >= newestBefore.current
    if (atBottom && isWatched() && hadAllRead) line.current = Math.max(line.current, newest)
    newestBefore.current = newest
  }
  const [, renderAgain] = useReducer((count: number) => count + 1, 0)
  useEffect(() => {
    const leave = () => {
      line.current = latestRead.current
      renderAgain(undefined)
    }
    addEventListener('blur', leave)
    return () => removeEventListener('blur', leave)
  }, [])
  return line.current
}
