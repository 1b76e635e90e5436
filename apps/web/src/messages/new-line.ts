import { useEffect, useReducer, useRef } from 'preact/hooks'

/** Does somebody see the page? */
export const isWatched = () => document.hasFocus() && !document.hidden

/**
 * The `seq` behind which the line “New” stands. Whoever was away finds it where they left; while somebody looks at the
 * newest messages it moves along with them.
 *
 * @param read `seq` up to which the account has read
 * @param newest `seq` of the newest message shown, null while others are shown or none
 */
export function useNewLine(read: number, newest: number | null, atBottom: boolean): number {
  const line = useRef(read)
  const latestRead = useRef(read)
  latestRead.current = read
  const newestBefore = useRef<number | null>(null)
  if (newest !== null) {
    const hadAllRead = newestBefore.current !== null && line.current >= newestBefore.current
    if (atBottom && isWatched() && hadAllRead) line.current = Math.max(line.current, newest)
    newestBefore.current = newest
  }
  const [, renderAnew] = useReducer((count: number) => count + 1, 0)
  useEffect(() => {
    const leave = () => {
      line.current = latestRead.current
      renderAnew(undefined)
    }
    addEventListener('blur', leave)
    return () => removeEventListener('blur', leave)
  }, [])
  return line.current
}
