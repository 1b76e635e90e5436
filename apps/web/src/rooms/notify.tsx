import { useState } from 'preact/hooks'

import type { NotifyLevel, Room } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import { canAsk } from '../messages/notifications.js'
import { Alert } from '../ui/alert.js'

const levels: Record<NotifyLevel, string> = { all: 'All messages', mentions: 'Mentions', nothing: 'Nothing' }

/** Of which messages of a room the account is notified, and the button that asks the browser for its permission. */
export function Notify({ chat, room }: { chat: Chat; room: Room }) {
  const [asked, setAsked] = useState(false)
  const [problem, setProblem] = useState('')
  const choose = async (level: NotifyLevel) => {
    setProblem('')
    await chat.notify(room.id, level).catch((error: Error) => setProblem(error.message))
  }
  return (
    <section class="form">
      <div class="field">
        <label>
          Notify me of
          <select value={room.notify} onChange={(event) => void choose(event.currentTarget.value as NotifyLevel)}>
            {Object.entries(levels)
              // In a direct conversation each message is for its people.
              .filter(([level]) => room.kind !== 'direct' || level !== 'all')
              .map(([level, name]) => (
                <option key={level} value={level}>
                  {room.kind === 'direct' && level === 'mentions' ? levels.all : name}
                </option>
              ))}
          </select>
        </label>
      </div>
      {canAsk() && !asked && room.notify !== 'nothing' && (
        <button
          type="button"
          class="button button--small"
          onClick={() => void Notification.requestPermission().finally(() => setAsked(true))}
        >
          Allow notifications
        </button>
      )}
      <Alert>{problem}</Alert>
    </section>
  )
}
