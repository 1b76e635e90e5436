import type { Message, Person } from '@chat/server/contract'

import { api, isSignedOut } from '../api.js'
import { createTimeline, type Timeline } from './timeline.js'

/** An open room: its messages, and what is going on with fetching them. */
export interface Conversation {
  timeline: Timeline
  /** A page of history on its way. */
  older?: Promise<boolean>
  /** Why the messages could not be fetched; null while all is well. */
  problem: string | null
}

export interface Conversations {
  get: (roomId: string) => Conversation | undefined
  /** The room somebody is looking at is loaded, and stays at hand when another one is opened. Null closes it. */
  open: (roomId: string | null) => void
  /** The newest page again: what is on the screen may have been changed meanwhile. */
  reload: (roomId: string) => Promise<void>
  /** After a reconnect: what is not on the screen is forgotten, what is on it is loaded anew. */
  catchUp: () => Promise<void>
  /** Puts messages into their room's timeline, if it is open; what is missing before them is fetched. */
  receive: (roomId: string, messages: readonly Message[], head?: number) => void
  /** Somebody has another name or picture: in the messages at hand, too. */
  rename: (person: Person) => void
  /** One more page of history. Resolves to whether there was one. */
  loadOlder: (roomId: string) => Promise<boolean>
  /** History back to `seq`. Resolves to whether it is there now. */
  reach: (roomId: string, seq: number) => Promise<boolean>
  close: () => void
}

const pageSize = 50
const longPage = 100
// Acknowledgements and news of the same moment come in either order: a gap this young usually closes by itself.
const gapGraceMs = 50
const retryDelayMs = 2000

/** The rooms that have been opened, with as much of their history as has been asked for, without holes. */
export function createConversations({
  take,
  changed,
  isConnected,
  onSignedOut,
}: {
  /** Whatever is fetched passes through here on its way to `receive`, as news does. */
  take: (roomId: string, messages: readonly Message[], head?: number) => void
  changed: () => void
  isConnected: () => boolean
  onSignedOut: () => void
}): Conversations {
  const conversations = new Map<string, Conversation & { filling: boolean }>()
  let openRoom: string | null = null
  let closed = false

  const closeGap = (roomId: string, delayMs = gapGraceMs) => {
    const conversation = conversations.get(roomId)
    if (!conversation || conversation.filling || conversation.timeline.gap === null) return
    conversation.filling = true
    setTimeout(() => void fill(roomId, conversation), delayMs)
  }

  const fill = async (roomId: string, conversation: Conversation & { filling: boolean }) => {
    const { timeline } = conversation
    let progress = true
    try {
      while (!closed && timeline.gap !== null && progress) {
        const after = timeline.gap
        const page = await api.page(roomId, longPage, 'after', after)
        take(roomId, page.messages, page.head)
        progress = timeline.last > after
      }
    } catch {
      progress = false
    }
    conversation.filling = false
    if (conversations.get(roomId) === conversation && !closed) closeGap(roomId, progress ? 0 : retryDelayMs)
  }

  const reload = async (roomId: string) => {
    const conversation = conversations.get(roomId)
    if (!conversation) return
    conversation.problem = null
    changed()
    try {
      const page = await api.page(roomId, pageSize)
      conversation.timeline.load(page)
      for (const { author } of page.messages) conversation.timeline.rename(author)
      take(roomId, page.messages)
    } catch (error) {
      if (isSignedOut(error)) return onSignedOut()
      conversation.problem = (error as Error).message
      changed()
      // Without a connection there will be another attempt when it is back.
      if (isConnected()) setTimeout(() => roomId === openRoom && !closed && void reload(roomId), retryDelayMs)
    }
  }

  /** Resolves to whether there was anything. One page at a time: whoever asks meanwhile gets the same one. */
  const loadOlder = (roomId: string, limit = pageSize): Promise<boolean> => {
    const conversation = conversations.get(roomId)
    const first = conversation?.timeline.messages[0]
    if (!conversation || !first || conversation.timeline.complete) return Promise.resolve(false)
    if (conversation.older) return conversation.older
    conversation.older = fetchOlder(roomId, conversation, first.seq, limit)
    changed()
    return conversation.older
  }

  const fetchOlder = async (roomId: string, conversation: Conversation, before: number, limit: number) => {
    conversation.problem = null
    try {
      const page = await api.page(roomId, limit, 'before', before)
      conversation.timeline.receive(page.messages, page.head)
      return page.messages.length > 0
    } catch (error) {
      conversation.problem = (error as Error).message
      return false
    } finally {
      delete conversation.older
      changed()
    }
  }

  const reach = async (roomId: string, seq: number) => {
    const { timeline } = conversations.get(roomId)!
    while (!timeline.get(seq) && seq < timeline.last && (await loadOlder(roomId, longPage)));
    return timeline.get(seq) !== undefined
  }

  return {
    get: (roomId) => conversations.get(roomId),
    open: (roomId) => {
      openRoom = roomId
      if (roomId === null || conversations.has(roomId)) return
      conversations.set(roomId, { timeline: createTimeline(), problem: null, filling: false })
      void reload(roomId)
    },
    reload,
    catchUp: async () => {
      for (const roomId of conversations.keys()) if (roomId !== openRoom) conversations.delete(roomId)
      if (openRoom) await reload(openRoom)
    },
    receive: (roomId, messages, head = 0) => {
      conversations.get(roomId)?.timeline.receive(messages, head)
      closeGap(roomId)
    },
    rename: (person) => {
      for (const { timeline } of conversations.values()) timeline.rename(person)
    },
    loadOlder: (roomId) => loadOlder(roomId),
    reach,
    close: () => {
      closed = true
    },
  }
}
