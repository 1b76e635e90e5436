import type { Room } from '@chat/server/contract'

import { navigate } from '../router.js'
import { usePageKeys } from '../ui/hooks.js'

interface KeysOptions {
  rooms: readonly Room[]
  openId: string | null
  onSwitch: () => void
  onSearch: () => void
  onHelp: () => void
}

/** The keys that work on the whole page of rooms. Keys of a field or a list are handled there. */
export function useKeys({ rooms, openId, onSwitch, onSearch, onHelp }: KeysOptions): void {
  usePageKeys((event, isWriting) => {
    const { key, altKey, shiftKey } = event
    if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === 'k') onSwitch()
    else if (key === '/' && !isWriting) onSearch()
    else if (key === '?' && !isWriting) onHelp()
    else if (altKey && (key === 'ArrowUp' || key === 'ArrowDown')) {
      const wanted = rooms.filter(({ id, unread }) => !shiftKey || unread > 0 || id === openId)
      const at = wanted.findIndex(({ id }) => id === openId)
      const next = wanted[at + (key === 'ArrowUp' ? -1 : 1)]
      if (next) navigate(`/rooms/${next.id}`)
    } else return
    event.preventDefault()
  })
}
