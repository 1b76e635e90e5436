import type {
  Account,
  ErrorBody,
  ErrorCode,
  FoundPage,
  Member,
  NotifyLevel,
  Page,
  Person,
  Reason,
  Room,
  RoomDetails,
  RoomKind,
  RoomPage,
  WebConfig,
} from '@chat/server/contract'

/** The server refused the request or could not be reached. `message` is a sentence for the user. */
export class ApiError extends Error {
  constructor(
    readonly code: ErrorCode | 'unreachable',
    message: string,
    /** What exactly was refused. The release before this one names no reasons, and may still answer during a rollout. */
    readonly reason?: Reason,
    /** The field of the request that the reason is about. */
    readonly field?: string,
  ) {
    super(message)
  }
}

const patienceMs = 15_000

const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
  const raw = body instanceof Blob
  let response: Response
  let answer: unknown
  try {
    response = await fetch(path, {
      method,
      signal: AbortSignal.timeout(patienceMs),
      ...(body === undefined
        ? {}
        : {
            body: raw ? body : JSON.stringify(body),
            headers: { 'content-type': raw ? body.type : 'application/json' },
          }),
    })
    answer = response.status === 204 ? undefined : await response.json()
  } catch {
    throw new ApiError('unreachable', 'The chat cannot be reached. Check your connection and try again.')
  }
  if (response.ok) return answer as T
  const { code, message, reason, field } = (answer as { error: ErrorBody }).error
  throw new ApiError(code, message, reason, field)
}

const room = (id: string) => `/api/rooms/${encodeURIComponent(id)}`

/** The HTTP API, one function for each request. All of them reject with `ApiError`. */
export const api = {
  config: () => ask<WebConfig>('GET', '/assets/config.json'),
  signUp: (newcomer: { name: string; email: string; password: string }) =>
    ask<Account>('POST', '/api/accounts', newcomer),
  signIn: (credentials: { email: string; password: string }) => ask<Account>('POST', '/api/session', credentials),
  signOut: () => ask<void>('DELETE', '/api/session'),
  me: () => ask<Account>('GET', '/api/me'),
  changeMe: (change: { name?: string; password?: string; currentPassword?: string }) =>
    ask<Account>('PATCH', '/api/me', change),
  changeAvatar: (picture: Blob) => ask<Account>('PUT', '/api/me/avatar', picture),
  rooms: () => ask<{ rooms: Room[] }>('GET', '/api/rooms'),
  /** Public rooms that the account has not joined. Leave out `search` for all of them, `after` for the first page. */
  publicRooms: (search?: string, after?: string | null) =>
    ask<RoomPage>(
      'GET',
      `/api/rooms/public?${new URLSearchParams({ ...(search && { search }), ...(after && { after }) })}`,
    ),
  room: (roomId: string) => ask<Room>('GET', room(roomId)),
  createRoom: (newRoom: { name: string; kind: Exclude<RoomKind, 'direct'> }) =>
    ask<Room>('POST', '/api/rooms', newRoom),
  changeRoom: (roomId: string, changes: Partial<RoomDetails>) => ask<Room>('PATCH', room(roomId), changes),
  /** People who share a room with the account, and whose names contain `search`. */
  people: (search: string) =>
    ask<{ people: Person[] }>('GET', `/api/people?${new URLSearchParams(search && { search })}`),
  /** Messages with these words. The fields of `where` limit the search; `after` is `next` of the page before. */
  search: (where: { text: string; roomId?: string; since?: string; until?: string; after?: string }) =>
    ask<FoundPage>('GET', `/api/search?${new URLSearchParams(where)}`),
  beginDirect: (people: string[]) => ask<Room>('POST', '/api/direct', { people }),
  join: (roomId: string) => ask<Room>('PUT', `${room(roomId)}/membership`),
  notify: (roomId: string, notify: NotifyLevel) => ask<Room>('PATCH', `${room(roomId)}/membership`, { notify }),
  leave: (roomId: string) => ask<void>('DELETE', `${room(roomId)}/membership`),
  members: (roomId: string) => ask<{ members: Member[] }>('GET', `${room(roomId)}/members`),
  invite: (roomId: string, email: string) => ask<void>('PUT', `${room(roomId)}/members`, { email }),
  /** A page of messages. Leave out `place` for the newest page. */
  page: (roomId: string, limit: number, place?: 'before' | 'after' | 'around' | 'changedAfter', number?: number) =>
    ask<Page>('GET', `${room(roomId)}/messages?limit=${limit}${place ? `&${place}=${number}` : ''}`),
}

/** True if the request was refused because the session has ended. */
export const isSignedOut = (error: unknown) =>
  error instanceof ApiError && error.code === 'unauthenticated' && error.reason !== 'wrong_password'
