import type { ToPerson } from '../accounts/person.js'
import {
  firstRoom,
  type Complete,
  type Member,
  type NotifyLevel,
  type Room,
  type RoomDetails,
  type RoomPage,
} from '../contract.js'
import type { News } from '../live/news.js'
import { createBatches } from '../platform/batches.js'
import type { Database } from '../platform/db.js'
import { ChatError } from '../platform/errors.js'
import { groupBy } from '../platform/group.js'
import { createLoader } from '../platform/loader.js'
import { recordEvent } from '../events/outbox.js'
import { onlineAmong } from '../presence/presence.js'
import * as queries from './queries.js'
import type { Membership, VisibleRoom } from './queries.js'

export type { Membership, VisibleRoom }
export type Rooms = ReturnType<typeof createRooms>

interface RoomsOptions {
  db: Database
  news: News
  toPerson: ToPerson
  /** Called when the event about changed members cannot be sent. */
  onError?: (error: unknown) => void
}

/** Joins and leaves within this time share an event. Otherwise, when N accounts join, each of them gets N events. */
const restMs = 500

// The database sorts by bytes. People expect the order of the alphabet.
const byName = new Intl.Collator(['en', 'ru'], { numeric: true, sensitivity: 'base' })

/** Rooms and memberships. Accounts that are not members get the same errors for private rooms as for missing rooms. */
export function createRooms({ db, news, toPerson, onError = () => undefined }: RoomsOptions) {
  /** Memberships that have begun or ended, as `roomId accountId`. */
  const changed = createBatches({ restMs, work: tellMembers, onError })

  // When many clients reconnect, their requests share queries.
  const visibleRoom = createLoader<{ accountId: string; roomId: string }, VisibleRoom | undefined>({
    nameOf: ({ accountId, roomId }) => `${accountId} ${roomId}`,
    async load(asked) {
      const found = new Map((await queries.visibleRooms(db, asked)).map(({ nth, room }) => [nth, room]))
      return asked.map((_, index) => found.get(index + 1))
    },
  })
  const roomsOf = createLoader<string, queries.RoomRow[]>({
    async load(accountIds) {
      const found = groupBy(await queries.roomsOf(db, accountIds), ({ accountId }) => accountId)
      return accountIds.map((id) => found.get(id) ?? [])
    },
  })
  const roomIdsOf = createLoader<string, string[]>({
    async load(accountIds) {
      const found = groupBy(await queries.membershipsOf(db, accountIds), ({ accountId }) => accountId)
      return accountIds.map((id) => (found.get(id) ?? []).map(({ roomId }) => roomId))
    },
  })

  /** @throws ChatError `no_such_room` for a room that is not visible. */
  async function requireVisible(accountId: string, roomId: string): Promise<VisibleRoom> {
    const room = await visibleRoom({ accountId, roomId })
    if (room === undefined) throw new ChatError('no_such_room', 'No such room.')
    return room
  }

  /** @throws ChatError `no_such_room` for a room that is not visible, `not_a_member` for one that is not joined. */
  async function requireMember(accountId: string, roomId: string): Promise<Membership> {
    const room = await requireVisible(accountId, roomId)
    if (room.read === null) throw new ChatError('not_a_member', 'Join the room first.')
    return room
  }

  /** Tells each room who has joined and left, as the database says now: another replica may have changed a membership too. */
  async function tellMembers(pairs: string[]): Promise<void> {
    const memberships = pairs.map((pair) => ({ roomId: pair.slice(0, 36), accountId: pair.slice(37) }))
    const there = await queries.membersAmong(db, memberships)
    const online = await onlineAmong(db, there)
    for (const roomId of new Set(memberships.map(({ roomId }) => roomId))) {
      const joined = there.filter((row) => row.roomId === roomId).map((row) => toMember(row, online))
      const here = new Set(joined.map(({ id }) => id))
      const left = memberships
        .filter((each) => each.roomId === roomId && !here.has(each.accountId))
        .map(({ accountId }) => accountId)
      news.send({ type: 'members:changed', to: [roomId], payload: { roomId, joined, left } })
    }
  }

  function toRoom({
    id,
    name,
    kind,
    topic,
    archived,
    mine,
    others,
    head,
    version,
    read,
    unread,
    mentions,
    notify,
  }: queries.RoomRow): Complete<Room> {
    const people = (others ?? []).map(toPerson).sort((a, b) => byName.compare(a.name, b.name))
    return {
      id,
      name: name ?? people.map(({ name }) => name).join(', '),
      kind,
      topic,
      archived,
      mine: mine ?? false,
      people,
      head,
      version,
      joined: read !== null,
      read: read ?? 0,
      unread: unread ?? 0,
      mentions: mentions ?? 0,
      notify: notify ?? 'mentions',
    }
  }

  function toMember(row: queries.MemberRow, online: Set<string>): Member {
    return { ...toPerson(row), online: online.has(row.id) }
  }

  /** Adds the sockets of a new member to the room, and tells the room. */
  function tellJoined(accountId: string, roomId: string): void {
    news.send({ type: 'joined', accountId, roomId })
    changed.add(`${roomId} ${accountId}`)
  }

  /** Adds a member. Does nothing when the account is already a member. */
  async function addMember(accountId: string, room: VisibleRoom): Promise<void> {
    const isNew = await db.transaction(async (tx) => {
      const inserted = await queries.insertMembership(tx, accountId, room)
      if (inserted) await recordEvent(tx, { type: 'member.joined', payload: { roomId: room.id, accountId } })
      return inserted
    })
    if (isNew) tellJoined(accountId, room.id)
  }

  return {
    requireVisible,
    requireMember,
    tellJoined,

    /** The rooms of which the account is a member, sorted by name. */
    async list(accountId: string): Promise<Room[]> {
      const rows = await roomsOf(accountId)
      return rows.map(toRoom).sort((a, b) => byName.compare(a.name, b.name))
    },

    /** Public rooms that the account can join, sorted by name: those after `after` whose names contain `search`. */
    async browse(
      accountId: string,
      { search = '', after = '', limit }: { search?: string; after?: string; limit: number },
    ): Promise<RoomPage> {
      const rows = await queries.publicRooms(db, accountId, { search, after, limit: limit + 1 })
      const rooms = rows.slice(0, limit).map(toRoom)
      return { rooms, next: rows.length > limit ? (rooms.at(-1)?.name ?? null) : null }
    },

    /** @throws ChatError `no_such_room` for a room that is not visible. */
    async find(accountId: string, roomId: string): Promise<Room> {
      return toRoom(await requireVisible(accountId, roomId))
    },

    /** Creates a room with its creator as a member. @throws ChatError `room_name_taken` when a public room has the name. */
    async create(accountId: string, wanted: { name: string; kind: 'public' | 'private' }): Promise<Room> {
      const created = await db.transaction(async (tx) => {
        const room = await queries.insertRoom(tx, accountId, wanted)
        if (room === undefined) throw nameTaken()
        await queries.insertMembership(tx, accountId, room)
        return room
      })
      tellJoined(accountId, created.id)
      if (created.kind === 'public') news.send({ type: 'room:opened', payload: { room: toRoom(created) } })
      return toRoom({ ...created, mine: true, read: 0 })
    },

    /**
     * Changes the name or topic of a room, or archives it, and tells its members.
     * @throws ChatError `no_such_room`, `not_a_member`, `direct_conversation`, `not_your_room` when another account has
     * created the room, `room_name_taken`.
     */
    async change(accountId: string, roomId: string, changes: Partial<RoomDetails>): Promise<Room> {
      const room = mustNotBeDirect(await requireMember(accountId, roomId))
      if (!room.mine) throw new ChatError('not_your_room', 'Only the person who created a room can change it.')
      const details = await queries.updateDetails(db, room, changes)
      if (details === undefined) throw nameTaken()
      news.send({ type: 'room:changed', to: [roomId], payload: { roomId, details } })
      return toRoom({ ...room, ...details })
    },

    /**
     * Adds a new account to the first room, and creates the room when it is missing. It records no event: otherwise the
     * greeter would greet each new account there, and the room would be full of greetings.
     */
    async welcome(accountId: string): Promise<void> {
      const room =
        (await queries.insertRoom(db, null, { name: firstRoom, kind: 'public' })) ??
        (await queries.publicRoomNamed(db, firstRoom))
      if (room !== undefined && (await queries.insertMembership(db, accountId, room))) tellJoined(accountId, room.id)
    },

    /** Joins a public room. Joining again changes nothing. */
    async join(accountId: string, roomId: string): Promise<Room> {
      await addMember(accountId, mustNotBeArchived(await requireVisible(accountId, roomId)))
      return toRoom(await requireVisible(accountId, roomId))
    },

    /**
     * Adds another account: the only way into a private room. `findInvited` is called only when the asking account is a
     * member. Otherwise the errors would tell any account which email addresses have accounts.
     */
    async invite(accountId: string, roomId: string, findInvited: () => Promise<string>): Promise<void> {
      const room = mustNotBeArchived(mustNotBeDirect(await requireMember(accountId, roomId)))
      await addMember(await findInvited(), room)
    },

    /** Adds a bot, on behalf of a member. It records no event, so nobody greets the bot. */
    async admitBot(botId: string, room: Membership): Promise<void> {
      if (await queries.insertMembership(db, botId, room)) changed.add(`${room.id} ${botId}`)
    },

    /** Ends a membership. Does nothing when the account is not a member. */
    async leave(accountId: string, roomId: string): Promise<void> {
      const room = mustNotBeDirect(await requireVisible(accountId, roomId))
      if (room.read === null || !(await queries.deleteMembership(db, room))) return
      news.send({ type: 'left', accountId, roomId })
      changed.add(`${roomId} ${accountId}`)
    },

    /** The members, sorted by name. */
    async members(accountId: string, roomId: string): Promise<Member[]> {
      const rows = await queries.membersOf(db, await requireMember(accountId, roomId))
      const online = await onlineAmong(db, rows)
      return rows.map((row) => toMember(row, online)).sort((a, b) => byName.compare(a.name, b.name))
    },

    /** Moves the read mark of a member, only forward. Returns the mark. */
    async read(accountId: string, roomId: string, seq: number): Promise<number> {
      const read = await queries.updateRead(db, accountId, roomId, seq)
      // Another query finds the reason of a refusal: the account is not a member, or the room is not visible.
      return read ?? (await requireMember(accountId, roomId)).read
    },

    /** Marks a message and those after it as unread. Returns the read mark. */
    async unread(accountId: string, roomId: string, seq: number): Promise<number> {
      const read = await queries.moveReadBack(db, accountId, roomId, seq)
      return read ?? (await requireMember(accountId, roomId)).read
    },

    /** Sets of which messages the member is notified. @throws ChatError `no_such_room`, `not_a_member`. */
    async notify(accountId: string, roomId: string, level: NotifyLevel): Promise<Room> {
      const room = await requireMember(accountId, roomId)
      await queries.updateNotify(db, room, level)
      return toRoom({ ...room, notify: level })
    },

    /** Stops sending events about members. */
    stop: changed.stop,

    /** The ids of the rooms that an account is in. */
    roomIdsOf,
    membershipsOf: (accountIds: string[]) => queries.membershipsOf(db, accountIds),
  }
}

const nameTaken = () =>
  new ChatError('room_name_taken', 'There is a public room with this name already. Please choose another name.', {
    field: 'name',
  })

export const roomArchived = () =>
  new ChatError('room_archived', 'This room is archived. People can read it, and nothing more.')

function mustNotBeArchived<Checked extends VisibleRoom>(room: Checked): Checked {
  if (room.archived) throw roomArchived()
  return room
}

/** A direct conversation always has the same people. @throws ChatError `direct_conversation`. */
function mustNotBeDirect<Checked extends VisibleRoom>(room: Checked): Checked {
  if (room.kind === 'direct')
    throw new ChatError('direct_conversation', 'A direct conversation cannot change. Begin another one.')
  return room
}
