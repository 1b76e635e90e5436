import type { Account, Person } from '../contract.js'
import type { ChatAccount } from './queries.js'

type PersonRow = Pick<ChatAccount, 'id' | 'name' | 'avatarKey'> & { isBot?: boolean }

export type ToPerson = (row: PersonRow) => Person
export type ToAccount = (account: ChatAccount) => Account

/** The author of a message in a row of a query. */
export interface AuthorColumns {
  authorId: string
  authorName: string
  authorAvatarKey: string | null
  authorIsBot: boolean
}

/** SQL for `AuthorColumns`. `a` is the row of the author in the query. */
export const authorColumns =
  'a.id as "authorId", a.name as "authorName", a.avatar_key as "authorAvatarKey", a.email is null as "authorIsBot"'

/** The author, in the form that `ToPerson` takes. */
export const authorOf = ({ authorId, authorName, authorAvatarKey, authorIsBot }: AuthorColumns): PersonRow => ({
  id: authorId,
  name: authorName,
  avatarKey: authorAvatarKey,
  isBot: authorIsBot,
})

/** Makes the public view of an account and the view of its owner. Avatars are at `cdnPrefix`. Null: at this server. */
export function createPeople({ cdnPrefix }: { cdnPrefix: string | null }): {
  toPerson: ToPerson
  toAccount: ToAccount
} {
  const avatarUrl = (key: string | null) => (key === null ? null : `${cdnPrefix ?? '/avatars'}/${key}`)
  return {
    toPerson: ({ id, name, avatarKey, isBot = false }) => ({
      id,
      name,
      avatarUrl: avatarUrl(avatarKey),
      ...(isBot && { bot: true }),
    }),
    toAccount: ({ id, name, email, avatarKey }) => ({ id, name, email, avatarUrl: avatarUrl(avatarKey) }),
  }
}
