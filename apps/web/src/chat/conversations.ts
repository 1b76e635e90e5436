import type { Message, Person } from '@chat/server/contract'

import { api, isSignedOut } from '../api.js'
import { createListeners, type Store } from './store.js'
import { createTimeline, farBehind, type Timeline } from './timeline.js'

/** The messages of a room that has been opened, and the state of loading them. */
export interface Conversation {
  timeline: Timeline
  /** `seq` of the first message on the screen; null at the newest messages. */
  place: number | null
  /** The request for a page before or after the shown messages, while it is running. */
  before?: Promise<boolean>
  after?: Promise<boolean>
  /** Why the last request failed, as a sentence; null if it did not fail. */
  problem: string | null
}

export interface Conversations extends Store {
  get: (roomId: string) => Conversation | undefined
  /** Opens a room and loads its messages. They stay loaded when another room is opened. Null closes the open room. */
  open: (roomId: string | null) => void
  /** Loads the newest page again. */
  reload: (roomId: string) => Promise<void>
  /** After a reconnect: loads the open room again and forgets the others. */
  catchUp: () => Promise<void>
  /** Adds messages to the timeline of a room that has been opened, and loads missing messages and changes. */
  receive: (roomId: string, messages: readonly Message[], head?: number, version?: number) => void
  /** Updates the name and avatar of an author in all loaded messages. */
  rename: (person: Person) => void
  /** Loads one more page before or after the shown messages. Resolves to true if it had any messages. */
  loadMore: (roomId: string, way: Way) => Promise<boolean>
  /** Shows a message anywhere in the room, or the newest ones for null. Resolves to true if it is loaded. */
  goTo: (roomId: string, seq: number | null) => Promise<boolean>
  close: () => void
}

type Way = 'before' | 'after'

const pageSize = 50
const longPage = 100
// A gap this young usually closes by itself: in a busy room the server lets a message wait for up to 50 ms, each of two
// replicas does, and the acknowledgement of one's own message does not wait.
const gapGraceMs = 150
const retryDelayMs = 2000

/** The rooms that have been opened, with the messages that have been loaded. */
export function createConversations({
  take,
  isConnected,
  onSignedOut,
}: {
  /** Called with loaded messages. It hands them to `receive`, as it does with live ones. */
  take: (roomId: string, messages: readonly Message[], head?: number) => void
  isConnected: () => boolean
  onSignedOut: () => void
}): Conversations {
  const conversations = new Map<string, Conversation & { filling: boolean }>()
  const { changed, subscribe } = createListeners()
  let openRoom: string | null = null
  let closed = false

  const isBehind = ({ timeline }: Conversation) => timeline.messagesMissed > 0 || timeline.changesMissed > 0

  const catchUpSoon = (roomId: string, delayMs = gapGraceMs) => {
    const conversation = conversations.get(roomId)
    if (!conversation || conversation.filling || !isBehind(conversation)) return
    conversation.filling = true
    setTimeout(() => void fill(roomId, conversation), delayMs)
  }

  const fill = async (roomId: string, conversation: Conversation & { filling: boolean }) => {
    let progress = true
    try {
      while (!closed && isBehind(conversation) && progress) progress = await fetchMissed(roomId, conversation)
    } catch {
      progress = false
    }
    conversation.filling = false
    if (conversations.get(roomId) === conversation && !closed) catchUpSoon(roomId, progress ? 0 : retryDelayMs)
  }

  /** Loads one page of missing changes, then of missing messages. Resolves to true if fewer are missing now. */
  const fetchMissed = async (roomId: string, { timeline, place }: Conversation): Promise<boolean> => {
    const { last, version, messagesMissed, changesMissed } = timeline
    if (changesMissed > Math.max(timeline.messages.length, pageSize)) {
      // More changes than loaded messages: forget the messages, and load those on the screen again.
      timeline.restart(
        await (place === null ? api.page(roomId, pageSize) : api.page(roomId, pageSize, 'around', place)),
      )
      changed()
      return timeline.changesMissed < changesMissed
    }
    if (changesMissed > 0) {
      timeline.mend(await api.page(roomId, longPage, 'changedAfter', version), version)
      changed()
      return timeline.version > version
    }
    if (messagesMissed > farBehind) {
      timeline.load(await api.page(roomId, pageSize), place !== null)
      changed()
      return timeline.messagesMissed < messagesMissed
    }
    const page = await api.page(roomId, longPage, 'after', last)
    timeline.receivePage(page)
    take(roomId, page.messages)
    return timeline.last > last
  }

  const reload = async (roomId: string) => {
    const conversation = conversations.get(roomId)
    if (!conversation) return
    conversation.problem = null
    changed()
    try {
      const page = await api.page(roomId, pageSize)
      conversation.timeline.load(page, conversation.place !== null)
      for (const { author } of page.messages) conversation.timeline.rename(author)
      take(roomId, page.messages)
    } catch (error) {
      if (isSignedOut(error)) return onSignedOut()
      conversation.problem = (error as Error).message
      changed()
      // Without a connection, the next connect tries again.
      if (isConnected()) setTimeout(() => roomId === openRoom && !closed && void reload(roomId), retryDelayMs)
    }
  }

  /** One page at a time: calls during a request get its result. */
  const loadMore = (roomId: string, way: Way): Promise<boolean> => {
    const conversation = conversations.get(roomId)
    const { messages, complete, live } = conversation?.timeline ?? {}
    const edge = way === 'before' ? messages?.[0] : messages?.at(-1)
    if (!conversation || !edge || (way === 'before' ? complete : live)) return Promise.resolve(false)
    if (conversation[way]) return conversation[way]
    conversation[way] = fetchMore(roomId, conversation, way, edge.seq)
    changed()
    return conversation[way]
  }

  const fetchMore = async (roomId: string, conversation: Conversation, way: Way, seq: number) => {
    conversation.problem = null
    try {
      const page = await api.page(roomId, pageSize, way, seq)
      conversation.timeline.receivePage(page)
      catchUpSoon(roomId)
      return page.messages.length > 0
    } catch (error) {
      conversation.problem = (error as Error).message
      return false
    } finally {
      delete conversation[way]
      changed()
    }
  }

  /** Loads and shows the messages around `seq`, or the newest ones. Resolves to true if they are loaded. */
  const goTo = async (roomId: string, seq: number | null): Promise<boolean> => {
    const conversation = conversations.get(roomId)
    if (!conversation) return false
    const { timeline } = conversation
    conversation.problem = null
    try {
      if (seq !== null && timeline.show(seq)) return true
      const page = await (seq === null ? api.page(roomId, pageSize) : api.page(roomId, longPage, 'around', seq))
      timeline.receivePage(page)
      catchUpSoon(roomId)
      return timeline.show(seq ?? page.messages.at(-1)?.seq ?? 0, seq === null)
    } catch (error) {
      conversation.problem = (error as Error).message
      return false
    } finally {
      changed()
    }
  }

  return {
    subscribe,
    get: (roomId) => conversations.get(roomId),
    open: (roomId) => {
      openRoom = roomId
      if (roomId === null || conversations.has(roomId)) return
      conversations.set(roomId, { timeline: createTimeline(), place: null, problem: null, filling: false })
      void reload(roomId)
    },
    reload,
    catchUp: async () => {
      for (const roomId of conversations.keys()) if (roomId !== openRoom) conversations.delete(roomId)
      if (openRoom) await reload(openRoom)
    },
    receive: (roomId, messages, head = 0, version = 0) => {
      conversations.get(roomId)?.timeline.receive(messages, head, version)
      catchUpSoon(roomId)
      changed()
    },
    rename: (person) => {
      for (const { timeline } of conversations.values()) timeline.rename(person)
      changed()
    },
    loadMore,
    goTo,
    close: () => {
      closed = true
    },
  }
}
