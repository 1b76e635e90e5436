import type { ErrorBody, NewMessage } from '@chat/server/contract'

import { createListeners, type Store } from './store.js'
import { recall, remember, remembered } from './storage.js'

/** A message that is not stored yet. With `refusal`, the server has refused it, and the user decides what to do. */
export interface Outgoing extends NewMessage {
  /** Shown when the account is no longer a member of the room. */
  roomName?: string
  queuedAt: number
  refusal?: string
}

/** The server refused the request. After any other error, it is worth trying again. */
export class Refused extends Error {
  constructor(
    readonly code: ErrorBody['code'],
    message: string,
  ) {
    super(message)
  }
}

export interface Outbox extends Store {
  /** The unsent messages of a room, in the order in which they were written. */
  in: (roomId: string) => Outgoing[]
  /** The same for all rooms. */
  all: () => Outgoing[]
  add: (message: Omit<Outgoing, 'queuedAt'>) => void
  /** Removes a message that the server has stored, as its acknowledgement or a live message says. */
  arrived: (id: string) => void
  /** Removes a message without sending it. */
  discard: (id: string) => void
  retry: (id: string) => void
  /** Sends all waiting messages in order. To be called after each connect. */
  flush: () => void
  close: () => void
}

/** Codes of refusals after which it is worth trying again. */
const passing = new Set<ErrorBody['code']>(['rate_limited', 'unavailable', 'unauthenticated', 'fault'])
const firstDelayMs = 1000
const longestDelayMs = 30_000

/**
 * Unsent messages, kept in the browser's storage until the server has stored them, so that they survive a reload. Each
 * has its own key, so that tabs cannot overwrite each other's messages. All tabs send from the same outbox, one at a
 * time if the browser has locks. Without locks, two tabs may send the same message. Its id makes that harmless.
 *
 * `post` resolves when the server has stored the message. It rejects with `Refused` if the server refuses the message,
 * and with any other error if the outbox is to try again.
 */
export function createOutbox(options: {
  accountId: string
  post: (message: Outgoing) => Promise<void>
  isConnected: () => boolean
}): Outbox {
  const { changed, subscribe } = createListeners()
  const prefix = `chat.outbox.${options.accountId}.`
  const waiting = new Map<string, Outgoing>()
  let flushing = false
  let again = false
  let delayMs = firstDelayMs
  let timer: ReturnType<typeof setTimeout> | undefined

  const keep = (entry: Outgoing) => {
    waiting.set(entry.id, entry)
    remember(prefix + entry.id, JSON.stringify(entry))
    changed()
  }

  const forget = (id: string) => {
    remember(prefix + id, null)
    if (waiting.delete(id)) changed()
  }

  const inOrder = () => [...waiting.values()].sort((a, b) => a.queuedAt - b.queuedAt)

  const sendAll = async () => {
    for (;;) {
      const next = inOrder().find((entry) => entry.refusal === undefined)
      if (!next || !options.isConnected()) return
      try {
        await options.post(next)
        forget(next.id)
        delayMs = firstDelayMs
      } catch (error) {
        if (error instanceof Refused && !passing.has(error.code)) {
          if (waiting.has(next.id)) keep({ ...next, refusal: error.message })
          continue
        }
        timer = setTimeout(flush, delayMs)
        delayMs = Math.min(delayMs * 2, longestDelayMs)
        return
      }
    }
  }

  const flush = () => {
    clearTimeout(timer)
    again = flushing
    if (flushing) return
    flushing = true
    void inTurn(prefix, sendAll).finally(() => {
      flushing = false
      if (again) flush()
    })
  }

  const take = (key: string, value: string | null) => {
    const entry = read(value)
    if (entry) waiting.set(entry.id, entry)
    else waiting.delete(key.slice(prefix.length))
  }

  const hear = ({ key, newValue }: StorageEvent) => {
    if (!key?.startsWith(prefix)) return
    take(key, newValue)
    changed()
  }

  for (const key of remembered(prefix)) take(key, recall(key))
  addEventListener('storage', hear)

  return {
    subscribe,
    all: inOrder,
    in: (roomId) => inOrder().filter((entry) => entry.roomId === roomId),
    add: (message) => {
      // Two messages of the same millisecond keep their order.
      keep({ ...message, queuedAt: Math.max(Date.now(), (inOrder().at(-1)?.queuedAt ?? 0) + 1) })
      flush()
    },
    arrived: forget,
    discard: forget,
    retry: (id) => {
      const entry = { ...waiting.get(id)! }
      delete entry.refusal
      keep(entry)
      flush()
    },
    flush,
    close: () => {
      clearTimeout(timer)
      removeEventListener('storage', hear)
    },
  }
}

/** Runs `task` while no other tab runs one. Pages served without TLS have no locks. */
const inTurn = async (name: string, task: () => Promise<void>): Promise<void> => {
  if (navigator.locks) await navigator.locks.request(name, task)
  else await task()
}

const read = (value: string | null): Outgoing | null => {
  try {
    const entry = JSON.parse(value ?? 'null') as Outgoing | null
    return entry && typeof entry.id === 'string' && typeof entry.body === 'string' ? entry : null
  } catch {
    return null
  }
}
