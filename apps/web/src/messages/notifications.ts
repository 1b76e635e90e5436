import type { Message, Room } from '@chat/server/contract'

import { plainTextOf } from '../text/markdown.js'
import { navigate } from '../router.js'

/** True if the page is visible and has the focus. */
export const isWatched = () => document.hasFocus() && !document.hidden

/** Can this browser show notifications, and has the user neither allowed nor refused them yet? */
export const canAsk = () => 'Notification' in window && Notification.permission === 'default'

/**
 * Shows a notification of the desktop, if the user has allowed it and does not look at the page. A later one of the same
 * room takes its place.
 */
export function showNotification(room: Room, { author, body, seq }: Message): void {
  if (isWatched() || !('Notification' in window) || Notification.permission !== 'granted') return
  const title = room.kind === 'direct' ? author.name : `${author.name} in ${room.name}`
  const notification = new Notification(title, { body: plainTextOf(body).slice(0, 200), tag: room.id })
  notification.onclick = () => {
    focus()
    navigate(`/rooms/${room.id}/${seq}`)
    notification.close()
  }
}
