import type { Message, Page, Person } from '@chat/server/contract'

/**
 * One room as this browser knows it. Whatever arrives, in whatever order, `messages` is an unbroken run of `seq`:
 * what lies beyond a gap is kept aside until the gap is filled.
 */
export interface Timeline {
  /** The run that may be shown, ascending and without holes. A new array after every change. */
  readonly messages: readonly Message[]
  /** `seq` of the last message of the run; 0 before anything is known. */
  readonly last: number
  /** The run begins with the first message of the room. */
  readonly complete: boolean
  /** Nothing can be shown before the first `load`. */
  readonly loaded: boolean
  /** The room has gone further than the run: ask for what comes after this `seq`. Null when there is no gap. */
  readonly gap: number | null
  /** Messages beyond the gap, ascending. */
  readonly held: readonly Message[]
  get: (seq: number) => Message | undefined
  /** Takes the newest page of the room, the first one or a fresh one. Far ahead of the run, it replaces the run. */
  load: (page: Page) => void
  /** Takes messages from anywhere: live news, edits, deletions, any page of history. Duplicates change nothing. */
  receive: (messages: readonly Message[], head?: number) => void
  /** Gives the messages of this author the name and picture that they have now. */
  rename: (author: Person) => void
  /** Forgets all but the newest `keep` messages of the run; they can be asked for again. */
  trim: (keep: number) => void
}

/** Further behind than this, reading on from the newest page is kinder than fetching everything between. */
const farBehind = 500

export function createTimeline(): Timeline {
  const known = new Map<number, Message>()
  let first = 0 // 0: nothing loaded yet
  let last = 0
  let head = 0
  let messages: Message[] = []

  const keep = (message: Message) => {
    head = Math.max(head, message.seq)
    const before = known.get(message.seq)
    if (!before || isAtLeastAsFresh(message, before)) known.set(message.seq, message)
  }

  const settle = () => {
    if (!first) return
    while (known.has(first - 1)) first--
    while (known.has(last + 1)) last++
    messages = []
    for (let seq = first; seq <= last; seq++) messages.push(known.get(seq)!)
  }

  const receive = (news: readonly Message[], newHead = 0) => {
    head = Math.max(head, newHead)
    news.forEach(keep)
    settle()
  }

  const load = (page: Page) => {
    const from = page.messages[0]?.seq ?? 1
    const to = page.messages.at(-1)?.seq ?? 0
    if (first && from > last + farBehind) {
      const newer = [...known.values()].filter((message) => message.seq > to)
      known.clear()
      newer.forEach(keep)
      first = 0
    }
    page.messages.forEach(keep)
    if (!first) [first, last] = [from, to]
    receive([], page.head)
  }

  const rename = ({ id, name, avatarUrl }: Person) => {
    const old = [...known.values()].filter(
      ({ author }) => author.id === id && (author.name !== name || author.avatarUrl !== avatarUrl),
    )
    for (const message of old) known.set(message.seq, { ...message, author: { ...message.author, name, avatarUrl } })
    if (old.length) settle()
  }

  const trim = (count: number) => {
    for (; last - first >= count; first++) known.delete(first)
    settle()
  }

  return {
    get messages() {
      return messages
    },
    get last() {
      return last
    },
    get complete() {
      return first === 1
    },
    get loaded() {
      return first > 0
    },
    get gap() {
      return first && head > last ? last : null
    },
    get held() {
      return [...known.values()].filter(({ seq }) => seq > last).sort((a, b) => a.seq - b.seq)
    },
    get: (seq) => (seq >= first && seq <= last ? known.get(seq) : undefined),
    load,
    receive,
    rename,
    trim,
  }
}

/** A page on its way may be older than the news that overtook it: deletion is final, the later edit wins. */
const isAtLeastAsFresh = (message: Message, than: Message) =>
  message.deleted || (!than.deleted && (message.editedAt ?? '') >= (than.editedAt ?? ''))
