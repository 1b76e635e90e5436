import type { Member, ServerToClientEvents } from '@chat/server/contract'

import { api } from '../api.js'
import { createListeners, type Store } from './store.js'

type List = Map<string, Member>

export interface Members extends Store {
  /** The members of a room; undefined until they are loaded. */
  get: (roomId: string) => Member[] | undefined
  /** Loads the members of a room. Rejects with `ApiError`. */
  load: (roomId: string) => Promise<void>
  /** Loads the members of a room unless they are loaded. Does nothing if that fails. */
  want: (roomId: string) => void
  /** Members have joined or left a room. */
  receive: (news: Parameters<ServerToClientEvents['members:changed']>[0]) => void
  /** Changes a member in every room, for example the name or `online`. */
  change: (accountId: string, change: Partial<Member>) => void
  /** The same for several members at once. */
  changeAll: (changes: ({ accountId: string } & Partial<Member>)[]) => void
}

/** The members of each room for which they were loaded, kept up to date by news. */
export function createMembers(): Members {
  const { changed, subscribe } = createListeners()
  const lists = new Map<string, List>()
  /** News that arrives while a list is loading, to be applied to it: the list may be older. */
  const late = new Map<string, ((list: List) => void)[]>()

  const apply = (roomId: string, change: (list: List) => void) => {
    const list = lists.get(roomId)
    if (list) change(list)
    late.get(roomId)?.push(change)
  }

  const change = (accountId: string, to: Partial<Member>) => {
    for (const roomId of new Set([...lists.keys(), ...late.keys()]))
      apply(roomId, (list) => {
        const member = list.get(accountId)
        if (member) list.set(accountId, { ...member, ...to })
      })
  }

  const load = async (roomId: string) => {
    const news: ((list: List) => void)[] = []
    late.set(roomId, news)
    const answer = await api.members(roomId).finally(() => late.get(roomId) === news && late.delete(roomId))
    const list: List = new Map(answer.members.map((member) => [member.id, member]))
    for (const change of news) change(list)
    lists.set(roomId, list)
    changed()
  }

  return {
    subscribe,
    get: (roomId) => (lists.has(roomId) ? [...lists.get(roomId)!.values()] : undefined),
    load,
    want: (roomId) => {
      if (!lists.has(roomId)) load(roomId).catch(() => undefined)
    },
    receive: ({ roomId, joined, left }) => {
      apply(roomId, (list) => {
        for (const member of joined) list.set(member.id, member)
        for (const id of left) list.delete(id)
      })
      changed()
    },
    change: (accountId, to) => {
      change(accountId, to)
      changed()
    },
    changeAll: (changes) => {
      for (const { accountId, ...to } of changes) change(accountId, to)
      changed()
    },
  }
}
