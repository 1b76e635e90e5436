import { useState } from 'preact/hooks'

import { recall, remember } from '../chat/storage.js'

/** A text that this browser stores under `key`, so that it survives a reload. */
export function useRemembered(key: string): [string, (value: string) => void] {
  const [value, setValue] = useState(() => recall(key) ?? '')
  const change = (next: string) => {
    setValue(next)
    remember(key, next || null)
  }
  return [value, change]
}
