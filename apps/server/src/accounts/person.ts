import type { Account, Person } from '../contract.js'
import type { ChatAccount } from './queries.js'

type PersonRow = Pick<ChatAccount, 'id' | 'name' | 'avatarKey'> & { isBot?: boolean }

export type ToPerson = (row: PersonRow) => Person
export type ToAccount = (account: ChatAccount) => Account

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
