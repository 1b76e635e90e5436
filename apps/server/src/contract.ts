/**
 * The types of the HTTP and Socket.IO interface. The browser uses this file too, so it imports nothing.
 * docs/protocol.md describes the interface in words. A test compares the two.
 */

/** Limits for what people enter. A character is a Unicode code point. */
export const limits = {
  /** Characters of a message. */
  message: 4000,
  /** Characters of the name of an account or a room, and of a search for a room. */
  name: 60,
  /** Characters of the topic of a room. */
  topic: 250,
  /** Characters of a search for messages. */
  search: 200,
  /** Different emoji with which people react to one message. */
  reactions: 20,
  /** People of a direct conversation. */
  directPeople: 8,
  /** Characters of an email address. */
  email: 254,
  /** Characters of a password, at least and at most. */
  password: { min: 10, max: 200 },
  /** Pictures that the server accepts as an avatar. */
  picture: { types: ['image/jpeg', 'image/png', 'image/webp'], bytes: 5 * 1024 * 1024, megapixels: 24 },
} as const

/** Each new account becomes a member of this public room, and the first visit on a device opens it. */
export const firstRoom = 'General'

/** Why a request is refused, by code: stable names for programs and for translations. */
export const reasons = {
  invalid: [
    'malformed',
    'empty',
    'too_short',
    'too_long',
    'hidden_characters',
    'name_is_link',
    'password_is_personal',
    'password_is_guessable',
    'reply_to_nothing',
    'not_an_emoji',
    'too_many_reactions',
    'request_broken_off',
  ],
  unauthenticated: ['signed_out', 'wrong_password'],
  forbidden: [
    'foreign_origin',
    'localhost_only',
    'not_a_member',
    'wrong_current_password',
    'direct_conversation',
    'not_your_room',
    'room_archived',
  ],
  not_found: ['nothing_here', 'no_such_room', 'no_such_message', 'no_such_account'],
  conflict: ['email_taken', 'room_name_taken', 'message_id_taken'],
  too_large: ['body_too_large', 'picture_too_large', 'too_many_pixels', 'too_much_memory'],
  unsupported_media: ['unknown_content', 'not_a_picture'],
  rate_limited: ['too_many_attempts', 'picture_in_hand', 'too_many_connections', 'second_socket'],
  unavailable: ['service_down', 'storage_down', 'busy', 'stopping', 'connection_closed'],
  fault: ['fault'],
} as const satisfies Record<string, readonly string[]>

export type ErrorCode = keyof typeof reasons
export type Reason = (typeof reasons)[ErrorCode][number]

export interface ErrorBody {
  /** The kind of refusal. It decides the HTTP status. */
  code: ErrorCode
  reason: Reason
  /** A sentence for people. */
  message: string
  /** The field of the request that the reason is about. */
  field?: string
}

/** An account as its owner sees it. Other accounts never see the email address. */
export interface Account {
  id: string
  name: string
  email: string
  avatarUrl: string | null
}

/** The public part of an account. */
export interface Person {
  id: string
  name: string
  avatarUrl: string | null
  /** A program posts for this account. Its messages never count as unread. */
  bot?: true
}

export interface Member extends Person {
  online: boolean
}

/** A direct conversation has always the same people, and no name of its own. */
export type RoomKind = 'public' | 'private' | 'direct'

/** Of which messages a member wants to be notified. In a direct conversation, `mentions` means all of them. */
export const notifyLevels = ['all', 'mentions', 'nothing'] as const
export type NotifyLevel = (typeof notifyLevels)[number]

export interface Room {
  id: string
  /** Of a direct conversation: the names of the other people. */
  name: string
  kind: RoomKind
  /** What the room is about; may be empty. */
  topic: string
  /** Its members can read the room, but change nothing in it. */
  archived: boolean
  /**
   * The account is a member and has created the room, which is not a direct conversation. So it may change the room's
   * name and topic, and archive it.
   */
  mine: boolean
  /** The other people of a direct conversation. Empty for other kinds. */
  people: Person[]
  joined: boolean
  /** `seq` of the newest message, 0 in an empty room. */
  head: number
  /** The number of changes (edits, deletions and reactions) of messages in the room. */
  version: number
  /** The account has read the messages up to this `seq`. */
  read: number
  unread: number
  /** How many unread messages name the account. */
  mentions: number
  notify: NotifyLevel
}

/** What the person who created a room can change. */
export type RoomDetails = Pick<Room, 'name' | 'topic' | 'archived'>

/** Public rooms that the account can join, sorted by name. */
export interface RoomPage {
  rooms: Room[]
  /** The value of `after` in the request for the next page. Null on the last page. */
  next: string | null
}

/** A person whom a message names. The message stays the same when the person has another name. */
export interface Mention {
  /** Null: all people of the room. */
  id: string | null
  /** The current name. */
  name: string
  /** The name as it is in the text, after an `@`. */
  written: string
}

/** An emoji that people have added to a message. */
export interface Reaction {
  emoji: string
  /** In the order in which they reacted. */
  people: Pick<Person, 'id' | 'name'>[]
}

export interface Message {
  /** Number of the message in its room: 1, 2, 3 … without gaps. */
  seq: number
  /** UUID chosen by the client, unique per author. A repeated post with the same id changes nothing. */
  id: string
  author: Person
  /** Empty once the message is deleted. */
  body: string
  /** ISO 8601, UTC. */
  postedAt: string
  replyTo: number | null
  editedAt: string | null
  deleted: boolean
  mentions: Mention[]
  /** In the order in which each emoji was first added. */
  reactions: Reaction[]
  /** The room's version at the last change of this message, 0 before the first change. The higher version is newer. */
  version: number
}

/** These values are the same in most new messages. `messages:posted` leaves them out. */
const asPosted = {
  replyTo: null,
  editedAt: null,
  deleted: false,
  mentions: [] as Mention[],
  reactions: [] as Reaction[],
  version: 0,
} satisfies Partial<Message>

/** A message in `messages:posted`: `author` is an index into `people`. A missing field has its value in `asPosted`. */
export type PostedMessage = Omit<Message, 'author' | keyof typeof asPosted> &
  Partial<Pick<Message, keyof typeof asPosted>> & { author: number }

/** New messages of a room as the server sends them: with each author once. */
export interface PostedNews {
  roomId: string
  people: Person[]
  messages: PostedMessage[]
}

/** New messages of a room. */
export interface RoomMessages {
  roomId: string
  messages: Message[]
}

/** Converts new messages to the form in which the server sends them. */
export function packPosted({ roomId, messages }: RoomMessages): PostedNews {
  const people = new Map<string, { index: number; person: Person }>()
  const indexOf = (person: Person): number => {
    // An account can change its name between two messages. Then both names are sent.
    const key = JSON.stringify(person)
    const known = people.get(key) ?? { index: people.size, person }
    people.set(key, known)
    return known.index
  }
  const packed = messages.map(
    ({ author, replyTo, editedAt, deleted, mentions, reactions, version, ...always }): PostedMessage => ({
      ...always,
      author: indexOf(author),
      ...(replyTo !== asPosted.replyTo && { replyTo }),
      ...(editedAt !== asPosted.editedAt && { editedAt }),
      ...(deleted !== asPosted.deleted && { deleted }),
      ...(mentions.length > 0 && { mentions }),
      ...(reactions.length > 0 && { reactions }),
      ...(version !== asPosted.version && { version }),
    }),
  )
  return { roomId, people: [...people.values()].map(({ person }) => person), messages: packed }
}

/** Reverses `packPosted`. */
export function unpackPosted({ roomId, people, messages }: PostedNews): RoomMessages {
  return {
    roomId,
    messages: messages.map(({ author, ...message }): Message => {
      const person = people[author]
      if (person === undefined) throw new RangeError(`There is no author ${author} in this news.`)
      return { ...asPosted, ...message, author: person }
    }),
  }
}

/** Messages of a room in ascending `seq`, or in ascending `version` when the request has `changedAfter`. */
export interface Page {
  messages: Message[]
  /** `seq` of the newest message of the room. */
  head: number
  /** The messages contain their changes up to this version of the room, and perhaps later ones. */
  version: number
}

/** A message that a search has found. */
export interface Found {
  roomId: string
  seq: number
  author: Person
  postedAt: string
  /** The text around the words, in parts: every second part is a word that was searched. */
  excerpt: string[]
}

/** Messages that a search has found, the newest first. */
export interface FoundPage {
  found: Found[]
  /** The value of `after` in the request for the next page. Null on the last page. */
  next: string | null
}

/** `T` with all optional fields required, so that code that builds a `T` cannot forget one. */
export type Complete<T> = { [Field in keyof Required<T>]: T[Field] }

export interface NewMessage {
  roomId: string
  id: string
  body: string
  /** `seq` of the message in the same room to which this one replies. */
  replyTo?: number | null
}

/** Identifies a message. */
export interface MessagePlace {
  roomId: string
  seq: number
}

/** A new text for a message. */
export interface Edit extends MessagePlace {
  body: string
}

/** Adds an emoji to a message, or takes it back. */
export interface ReactionChange extends MessagePlace {
  emoji: string
  on: boolean
}

export interface Posted {
  seq: number
  id: string
  postedAt: string
}

export type Ack<T> = (reply: { data: T } | { error: ErrorBody }) => void

export interface ClientToServerEvents {
  'message:post': (message: NewMessage, ack: Ack<Posted>) => void
  'message:edit': (edit: Edit, ack: Ack<Message>) => void
  'message:delete': (which: MessagePlace, ack: Ack<Message>) => void
  'message:react': (change: ReactionChange, ack: Ack<Message>) => void
  'room:read': (upTo: MessagePlace, ack: Ack<{ read: number }>) => void
  'room:unread': (from: MessagePlace, ack: Ack<{ read: number }>) => void
  'typing:start': (where: { roomId: string }, ack?: Ack<Record<string, never>>) => void
}

export interface ServerToClientEvents {
  'messages:posted': (news: PostedNews) => void
  /** A message has a new text, or other reactions. */
  'message:edited': (news: { roomId: string; message: Message }) => void
  'message:deleted': (news: { roomId: string; message: Message }) => void
  /** `seq` of the newest message, and the version of the room. A client that has less loads the rest over HTTP. */
  'room:head': (news: { roomId: string; head: number; version: number }) => void
  /** A new public room. */
  'room:opened': (news: { room: Room }) => void
  /** A room has another name or topic, or is archived or not any more. */
  'room:changed': (news: { roomId: string; details: RoomDetails }) => void
  /** Accounts that have joined and left a room. All devices of these accounts get the event too. */
  'members:changed': (news: { roomId: string; joined: Member[]; left: string[] }) => void
  /** The account itself, or a member of one of its rooms, has a new name or avatar. */
  'person:changed': (news: { person: Person }) => void
  'presence:changed': (news: { accountId: string; online: boolean }) => void
  /** The same for five or more accounts in a room at once. */
  'presences:changed': (news: { roomId: string; changes: { accountId: string; online: boolean }[] }) => void
  /** A member is typing. The client stops showing it after `expiresInMs`. */
  'typing:changed': (news: { roomId: string; account: Person; expiresInMs: number }) => void
}

/** `GET /assets/config.json`: settings that differ between environments, so the build does not know them. */
export interface WebConfig {
  /** Origin of the chat server, e.g. `https://chat.example.com`; empty means the page's own. */
  domain: string
  /** Where a visitor without a session is sent. */
  loginUrl: string
}
