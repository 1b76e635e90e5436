import type { Message, Page, Person } from '@chat/server/contract'

/**
 * The loaded messages of one room. They can arrive in any order, but `messages` is always a run: messages with
 * consecutive `seq`. There can be several runs, one at the newest message and others around messages that the user has
 * jumped to. One of them is shown, and runs that meet become one.
 */
export interface Timeline {
  /** The run that is shown, ascending and without holes. A new array after every change. */
  readonly messages: readonly Message[]
  /** `seq` of the last message of the run; 0 before the first page. */
  readonly last: number
  /** True if the run begins with the first message of the room. */
  readonly complete: boolean
  /** True after the first page; nothing is shown before it. */
  readonly loaded: boolean
  /** True if new messages continue the run: it ends at the newest message, or at a gap that will be filled. */
  readonly live: boolean
  /** How many messages after the live run are missing: load the messages after `last`. */
  readonly messagesMissed: number
  /** Loaded messages after the gap, ascending. */
  readonly held: readonly Message[]
  /** The loaded messages contain all changes up to this version, unless a later change has replaced them. */
  readonly version: number
  /** How many later changes are missing at most: load the messages that changed after `version`. */
  readonly changesMissed: number
  /** A loaded message of any run. */
  get: (seq: number) => Message | undefined
  /**
   * Adds the newest page. If it is far ahead of the live run, it is shown instead; while the user is `reading`, the run
   * stays, but is not live any more.
   */
  load: (page: Page, reading?: boolean) => void
  /** Forgets what is older than the page, and shows the page. */
  restart: (page: Page) => void
  /** Adds live messages and changes. Duplicates change nothing. */
  receive: (messages: readonly Message[], head?: number, version?: number) => void
  /** Adds a page from anywhere in the history. */
  receivePage: (page: Page) => void
  /** Adds the messages that changed after a version. */
  mend: (page: Page, changedAfter: number) => void
  /** Shows the run with this message, `live` if that is the newest one. Returns false if the message is not loaded. */
  show: (seq: number, live?: boolean) => boolean
  /** Updates the name and avatar of a person in the loaded messages. */
  rename: (person: Person) => void
  /** Forgets all but the newest `keep` messages of the run. The others can be loaded again. */
  trim: (keep: number) => void
}

/** If more messages than this are missing, the newest page is shown instead of loading all of them. */
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
  /** Versions of changes that arrived before changes with a smaller version. */
  const ahead = new Set<number>()
  /** Messages up to this `seq` were forgotten. */
  let forgotten = 0

  const keep = (received: Message) => {
    const message = completed(received)
    head = Math.max(head, message.seq)
    // A page can be older than live news that arrived before it.
    if (message.version >= (known.get(message.seq)?.version ?? 0)) known.set(message.seq, message)
    if (message.version > version) ahead.add(message.version)
  }

  /** Notes that the loaded messages contain all changes up to this version. */
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
    // News of a forgotten message can be older than its changes, which were forgotten too.
    for (const message of news)
      if (message.seq > forgotten || message.version > version || known.has(message.seq)) keep(message)
    if (first) moveTo(version)
    settle()
  }

  const receivePage = (page: Page) => {
    // The page and its messages can be older than the loaded messages.
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
    // A newer page contains these changes already.
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
    let isChanged = false
    for (const message of known.values()) {
      const { author, mentions, reactions } = message
      const isAuthor = author.id === id && (author.name !== name || author.avatarUrl !== avatarUrl)
      const isNamed = [mentions, ...reactions.map(({ people }) => people)].some((people) =>
        people.some((person) => person.id === id && person.name !== name),
      )
      if (!isAuthor && !isNamed) continue
      isChanged = true
      known.set(message.seq, {
        ...message,
        author: isAuthor ? { ...author, name, avatarUrl } : author,
        mentions: mentions.map((mention) => (mention.id === id ? { ...mention, name } : mention)),
        reactions: reactions.map(({ emoji, people }) => ({
          emoji,
          people: people.map((person) => (person.id === id ? { id, name } : person)),
        })),
      })
    }
    if (isChanged) settle()
  }

  const trim = (count: number) => {
    for (; last - first >= count; first++) known.delete(first)
    forgotten = Math.max(forgotten, first - 1)
    // Forgotten changes must be loaded again.
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

/** During a rollout, a server of an older release may answer, without these fields. */
const completed = (message: Omit<Message, keyof Added> & Partial<Added>): Message => ({
  ...message,
  mentions: message.mentions ?? [],
  reactions: message.reactions ?? [],
  version: versionOf(message),
})
type Added = Pick<Message, 'mentions' | 'reactions' | 'version'>
const versionOf = ({ version }: { version?: number }) => version ?? 0
