// @vitest-environment happy-dom
import { render } from 'preact'
import { useLayoutEffect } from 'preact/hooks'
import { act } from 'preact/test-utils'
import { expect, it } from 'vitest'

import { useChanges } from './hooks.js'

it('misses no change of a store after the first render', async () => {
  const listeners = new Set<() => void>()
  const store = {
    subscribe: (listener: () => void) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
  let words = 'before'
  function View() {
    useChanges(store)
    useLayoutEffect(() => {
      words = 'after'
      listeners.forEach((listener) => listener())
    }, [])
    return <p>{words}</p>
  }
  await act(() => render(<View />, document.body))
  expect(document.body.textContent).toBe('after')
  await act(() => render(null, document.body))
  expect(listeners.size).toBe(0)
})
