/**
 * What the chat says over HTTP and Socket.IO, shared with the browser, so it imports nothing.
 * docs/protocol.md describes the same in words, and a test holds the two together.
 */

/** What people can run into. Texts are counted in characters (code points): a smiley is one. */
export const limits = {
  /** Characters of a message. */
  message: 4000,
  /** Characters of the name of a person or a room, and of a search for one. */
  name: 60,
  /** Characters of an email address. */
  email: 254,
  /** Characters of a password, at least and at most. */
  password: { min: 10, max: 200 },
  /** Which pictures can become an avatar. */
  picture: { types: ['image/jpeg', 'image/png', 'image/webp'], bytes: 5 * 1024 * 1024, megapixels: 24 },
} as const

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
    'request_broken_off',
  ],
  unauthenticated: ['signed_out', 'wrong_password'],
  forbidden: ['foreign_origin', 'localhost_only', 'not_a_member', 'wrong_current_password'],
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
  /** What kind of refusal it is: it decides the HTTP status. */
  code: ErrorCode
  reason: Reason
  /** A sentence for people. */
  message: string
  /** The field of the request that the reason is about. */
  field?: string
}

/** The account that is asking: only its owner ever sees the address. */
export interface Account {
  id: string
  name: string
  email: string
  avatarUrl: string | null
}

/** What everybody may know about an account. */
export interface Person {
  id: string
  name: string
  avatarUrl: string | null
  /** Nobody is behind it: what it says is not unread for anybody. */
  bot?: true
}

export interface Member extends Person {
  online: boolean
}

export type RoomKind = 'public' | 'private'

export interface Room {
  id: string
  name: string
  kind: RoomKind
  joined: boolean
  /** `seq` of the newest message, 0 in an empty room. */
  head: number
  /** Grows by one with each change of a message (an edit, a deletion), 0 before the first. */
  version: number
  /** `seq` up to which the asking account has read. */
  read: number
  unread: number
}

/** Public rooms to join, by name. Null: these were the last; else what to ask `after` for more. */
export interface RoomPage {
  rooms: Room[]
  next: string | null
}

export interface Message {
  /** Place in the room: 1, 2, 3 … without holes. */
  seq: number
  /** UUID chosen by the sender, unique per author: sending it again changes nothing. */
  id: string
  author: Person
  /** Empty once the message is deleted. */
  body: string
  /** ISO 8601, UTC. */
  postedAt: string
  replyTo: number | null
  editedAt: string | null
  deleted: boolean
  /** The room's version at the last change of this message, 0 when it is as it was posted. The higher one is the newer. */
  version: number
}

/** What a message has that nobody has changed or answered with yet: `messages:posted` leaves it out. */
const asPosted = { replyTo: null, editedAt: null, deleted: false, version: 0 } satisfies Partial<Message>

/** A message in `messages:posted`: `author` is an index into `people`, and a field that is missing is as in `asPosted`. */
export type PostedMessage = Omit<Message, 'author' | keyof typeof asPosted> &
  Partial<Pick<Message, keyof typeof asPosted>> & { author: number }

/** New messages of a room in the form in which they are sent to many readers: each author once. */
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

/** The form for sending. */
export function packPosted({ roomId, messages }: RoomMessages): PostedNews {
  const people = new Map<string, { index: number; person: Person }>()
  const indexOf = (person: Person): number => {
    // The same account can have two names here, when it has changed its name between two messages.
    const key = JSON.stringify(person)
    const known = people.get(key) ?? { index: people.size, person }
    people.set(key, known)
    return known.index
  }
  const packed = messages.map(({ author, replyTo, editedAt, deleted, version, ...always }): PostedMessage => ({
    ...always,
    author: indexOf(author),
    ...(replyTo !== asPosted.replyTo && { replyTo }),
    ...(editedAt !== asPosted.editedAt && { editedAt }),
    ...(deleted !== asPosted.deleted && { deleted }),
    ...(version !== asPosted.version && { version }),
  }))
  return { roomId, people: [...people.values()].map(({ person }) => person), messages: packed }
}

/** The messages again, as they were before `packPosted`. */
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

/** Messages of a room, in ascending `seq` or, when they were asked for by their changes, in ascending `version`. */
export interface Page {
  messages: Message[]
  /** `seq` of the newest message of the room. */
  head: number
  /** All changes up to this one are in the messages, perhaps later ones as well. */
  version: number
}

/** With all its fields, the optional ones too: whoever makes one by hand, and not from another, can forget none. */
export type Complete<T> = { [Field in keyof Required<T>]: T[Field] }

export interface NewMessage {
  roomId: string
  id: string
  body: string
  /** `seq` of the message in the same room that this one answers. */
  replyTo?: number | null
}

/** Which message of a room. */
export interface MessagePlace {
  roomId: string
  seq: number
}

/** Another text for a message. */
export interface Edit extends MessagePlace {
  body: string
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
  'room:read': (upTo: MessagePlace, ack: Ack<{ read: number }>) => void
  'typing:start': (where: { roomId: string }, ack?: Ack<Record<string, never>>) => void
}

export interface ServerToClientEvents {
  'messages:posted': (news: PostedNews) => void
  'message:edited': (news: { roomId: string; message: Message }) => void
  'message:deleted': (news: { roomId: string; message: Message }) => void
  /** How far a room has come, in messages and in their changes: whoever has less asks for the rest over HTTP. */
  'room:head': (news: { roomId: string; head: number; version: number }) => void
  /** A public room that one may join. */
  'room:opened': (news: { room: Room }) => void
  /** Who has come into a room and who has left it. One's own other devices hear of it as well. */
  'members:changed': (news: { roomId: string; joined: Member[]; left: string[] }) => void
  /** Somebody in a room of one's own, or oneself, has another name or picture. */
  'person:changed': (news: { person: Person }) => void
  'presence:changed': (news: { accountId: string; online: boolean }) => void
  /** The same of five accounts or more in a room at once. */
  'presences:changed': (news: { roomId: string; changes: { accountId: string; online: boolean }[] }) => void
  /** Somebody is typing; the receiver forgets it after `expiresInMs`. */
  'typing:changed': (news: { roomId: string; account: Person; expiresInMs: number }) => void
}

/** `GET /assets/config.json`: what differs between environments and is known only at run time. */
export interface WebConfig {
  /** Origin of the chat server, e.g. `https://chat.example.com`; empty means the page's own. */
  domain: string
  /** Where a visitor without a session is sent. */
  loginUrl: string
}
