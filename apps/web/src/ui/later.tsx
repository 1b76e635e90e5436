import type { FunctionComponent } from 'preact'
import { useEffect, useState } from 'preact/hooks'

import { Wait } from './wait.js'

/**
 * The component `name` of a module, which is loaded when the component is shown for the first time. When that fails, a
 * part of the page offers to try again; what lies over the page, and so can be closed, closes.
 */
export function later<Name extends string, Props extends object>(
  name: Name,
  load: () => Promise<Record<Name, FunctionComponent<Props>>>,
): FunctionComponent<Props> {
  let loaded: FunctionComponent<Props> | undefined
  return (props) => {
    const { onClose } = props as { onClose?: () => void }
    const [Loaded, setLoaded] = useState(() => loaded)
    const [problem, setProblem] = useState<string | null>(null)
    const begin = () => {
      setProblem(null)
      load().then(
        (module) => setLoaded(() => (loaded = module[name])),
        () => {
          setProblem('This part could not be loaded. Check your connection and try again.')
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
