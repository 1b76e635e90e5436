import type { Message, Page, Person } from '@chat/server/contract'

/**
 * One room as this browser knows it. Whatever arrives, in whatever order, `messages` is an unbroken run of `seq`. There
 * can be several runs: one at the newest message, others where somebody has jumped to. One of them is shown, and runs
 * that meet are one.
 */
export interface Timeline {
  /** The run that is shown, ascending and without holes. A new array after every change. */
  readonly messages: readonly Message[]
  /** `seq` of the last message of the run; 0 before anything is known. */
  readonly last: number
  /** The run begins with the first message of the room. */
  readonly complete: boolean
  /** Nothing can be shown before the first page. */
  readonly loaded: boolean
  /** The run goes on with what is said now: it ends at the newest message, or at a gap that will be filled. */
  readonly live: boolean
  /** So many messages further than the live run the room has gone: ask for what comes after `last`. */
  readonly messagesMissed: number
  /** Messages beyond the gap, ascending. */
  readonly held: readonly Message[]
  /** All changes up to this one are in the messages at hand, but for those that later ones have replaced. */
  readonly version: number
  /** How many later ones there are at most: ask for what changed after `version`. */
  readonly changesMissed: number
  /** A message at hand, of whichever run. */
  get: (seq: number) => Message | undefined
  /**
   * Takes the newest page. Far ahead of a live run, it is shown in the place of it; whoever is `reading` there keeps the
   * run, which is live no more.
   */
  load: (page: Page, reading?: boolean) => void
  /** Forgets what is older than the page, and shows the page. */
  restart: (page: Page) => void
  /** Takes messages from anywhere: live news, edits, deletions. Duplicates change nothing. */
  receive: (messages: readonly Message[], head?: number, version?: number) => void
  /** Takes a page of history, of whichever place. */
  receivePage: (page: Page) => void
  /** Takes what has changed since a version. */
  mend: (page: Page, changedAfter: number) => void
  /** Shows the run that has this message, `live` when it is the newest. False when it is not at hand. */
  show: (seq: number, live?: boolean) => boolean
  /** Gives the messages of this author the name and picture that they have now. */
  rename: (author: Person) => void
  /** Forgets all but the newest `keep` messages of the run; they can be asked for again. */
  trim: (keep: number) => void
}

/** Further behind than this, reading on from the newest page is kinder than fetching everything between. */
export const farBehind = 500

export function createTimeline(): Timeline {
  const known = new Map<number, Message>()
  let first = 0 // 0: nothing loaded yet
  let last = 0
  let head = 0
  let live = true
  let messages: Message[] = []
  let version = 0
  let newestVersion = 0
  /** Changes that arrived before others with a smaller version. */
  const ahead = new Set<number>()
  /** Up to this `seq` messages were forgotten. */
  let forgotten = 0

  const keep = (received: Message) => {
    const message = { ...received, version: versionOf(received) }
    head = Math.max(head, message.seq)
    // A page on its way may be older than the news that overtook it.
    if (message.version >= (known.get(message.seq)?.version ?? 0)) known.set(message.seq, message)
    if (message.version > version) ahead.add(message.version)
  }

  /** All changes up to this one are in the messages at hand. */
  const moveTo = (reached: number) => {
    version = reached
    while (ahead.delete(version + 1)) version++
    for (const change of ahead) if (change <= version) ahead.delete(change)
    newestVersion = Math.max(newestVersion, version, ...ahead)
  }

  const settle = () => {
    if (!first) return
    while (known.has(first - 1)) first--
    while (known.has(last + 1)) last++
    if (last >= head) live = true
    messages = []
    for (let seq = first; seq <= last; seq++) messages.push(known.get(seq)!)
  }

  const receive = (news: readonly Message[], newHead = 0, roomVersion = 0) => {
    head = Math.max(head, newHead)
    newestVersion = Math.max(newestVersion, roomVersion)
    // News of a message that was forgotten may be older than its changes, which were forgotten with it.
    for (const message of news)
      if (message.seq > forgotten || message.version > version || known.has(message.seq)) keep(message)
    if (first) moveTo(version)
    settle()
  }

  const receivePage = (page: Page) => {
    // The page may be older than what is at hand, and its messages with it.
    const reached = first ? Math.min(version, versionOf(page)) : versionOf(page)
    page.messages.forEach(keep)
    receive([], page.head, versionOf(page))
    if (first) moveTo(reached)
  }

  const restart = (page: Page) => {
    const newer = [...known.values()].filter(({ seq, version }) => seq > page.head || version > versionOf(page))
    forgotten = Math.max(forgotten, page.head)
    known.clear()
    first = page.messages[0]?.seq ?? 1
    last = page.messages.at(-1)?.seq ?? 0
    live = last >= page.head
    version = versionOf(page)
    for (const message of [...page.messages, ...newer]) keep(message)
    receive([], page.head, versionOf(page))
  }

  const load = (page: Page, reading = false) => {
    const isFar = live && (page.messages[0]?.seq ?? 1) > last + farBehind
    if (!first || (isFar && !reading)) return restart(page)
    if (isFar) live = false
    receivePage(page)
  }

  const mend = (page: Page, changedAfter: number) => {
    // Overtaken by a page that has all of it.
    if (versionOf(page) < version) return
    page.messages.forEach(keep)
    receive([], page.head, versionOf(page))
    if (changedAfter <= version) moveTo(Math.max(version, page.messages.at(-1)?.version ?? versionOf(page)))
  }

  const show = (seq: number, isNewest = false) => {
    if (!known.has(seq)) return false
    if (seq < first || seq > last) {
      first = last = seq
      live = isNewest
      settle()
    }
    return true
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
    forgotten = Math.max(forgotten, first - 1)
    // A change that is forgotten has to be asked for again.
    ahead.clear()
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
    get live() {
      return live
    },
    get messagesMissed() {
      return first && live ? Math.max(0, head - last) : 0
    },
    get held() {
      return live ? [...known.values()].filter(({ seq }) => seq > last).sort((a, b) => a.seq - b.seq) : []
    },
    get version() {
      return version
    },
    get changesMissed() {
      return first ? newestVersion - version : 0
    },
    get: (seq) => known.get(seq),
    load,
    restart,
    receive,
    receivePage,
    mend,
    show,
    rename,
    trim,
  }
}

/** During a rollout a server of an older release may answer, which knows of no versions. */
const versionOf = ({ version }: { version?: number }) => version ?? 0
