import type { FunctionComponent } from 'preact'
import { useEffect, useState } from 'preact/hooks'

import { Wait } from './wait.js'

/**
 * A component whose code is loaded when it is shown for the first time. When that fails, a part of the page offers to try
 * again; what lies over the page, and so can be closed, closes.
 */
export function later<Props extends object>(load: () => Promise<FunctionComponent<Props>>): FunctionComponent<Props> {
  let loaded: FunctionComponent<Props> | undefined
  return (props) => {
    const { onClose } = props as { onClose?: () => void }
    const [Loaded, setLoaded] = useState(() => loaded)
    const [problem, setProblem] = useState<string | null>(null)
    const begin = () => {
      setProblem(null)
      load().then(
        (component) => setLoaded(() => (loaded = component)),
        () => {
          setProblem('This part of the chat could not be loaded. Check your connection and try again.')
          onClose?.()
        },
      )
    }
    useEffect(() => {
      if (!Loaded) begin()
    }, [])
    if (Loaded) return <Loaded {...props} />
    return onClose ? null : <Wait problem={problem} retry={begin} />
  }
}
