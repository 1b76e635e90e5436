import type { Message, Person } from '@chat/server/contract'

import { api, isSignedOut } from '../api.js'
import { createListeners, type Store } from './store.js'
import { createTimeline, farBehind, type Timeline } from './timeline.js'

/** An open room: its messages, and what is going on with fetching them. */
export interface Conversation {
  timeline: Timeline
  /** `seq` of the message at which somebody reads on; null at the newest ones. */
  place: number | null
  /** A page of history on its way, from before or after the messages that are shown. */
  before?: Promise<boolean>
  after?: Promise<boolean>
  /** Why the messages could not be fetched; null while all is well. */
  problem: string | null
}

export interface Conversations extends Store {
  get: (roomId: string) => Conversation | undefined
  /** The room somebody is looking at is loaded, and stays at hand when another one is opened. Null closes it. */
  open: (roomId: string | null) => void
  /** The newest page again: what is on the screen may have been changed meanwhile. */
  reload: (roomId: string) => Promise<void>
  /** After a reconnect: what is not on the screen is forgotten, what is on it is loaded anew. */
  catchUp: () => Promise<void>
  /** Puts messages into their room's timeline, if it is open; messages and changes that are missing are fetched. */
  receive: (roomId: string, messages: readonly Message[], head?: number, version?: number) => void
  /** Somebody has another name or picture: in the messages at hand, too. */
  rename: (person: Person) => void
  /** One more page before or after the messages that are shown. Resolves to whether there was one. */
  loadMore: (roomId: string, way: Way) => Promise<boolean>
  /** Shows a message, wherever in the room it is, or the newest ones for null. Resolves to whether it is there now. */
  goTo: (roomId: string, seq: number | null) => Promise<boolean>
  close: () => void
}

type Way = 'before' | 'after'

const pageSize = 50
const longPage = 100
// Acknowledgements and news of the same moment come in either order: a gap this young usually closes by itself.
const gapGraceMs = 50
const retryDelayMs = 2000

/** The rooms that have been opened, with as much of their history as has been asked for, without holes. */
export function createConversations({
  take,
  isConnected,
  onSignedOut,
}: {
  /** Whatever is fetched passes through here on its way to `receive`, as news does. */
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

  /** One page of what is missing, changes first. Resolves to whether that brought anything. */
  const fetchMissed = async (roomId: string, { timeline, place }: Conversation): Promise<boolean> => {
    const { last, version, messagesMissed, changesMissed } = timeline
    if (changesMissed > Math.max(timeline.messages.length, pageSize)) {
      // More than is shown: it is forgotten, and what is on the screen loaded anew.
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
      // Without a connection there will be another attempt when it is back.
      if (isConnected()) setTimeout(() => roomId === openRoom && !closed && void reload(roomId), retryDelayMs)
    }
  }

  /** Resolves to whether there was anything. One page at a time: whoever asks meanwhile gets the same one. */
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

  /** Fetches and shows what is around a message, or the newest messages. Resolves to whether that is there now. */
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
