import type { Db } from '../platform/db.js'

/** An account that can sign in, without its password hash. */
export interface ChatAccount {
  id: string
  name: string
  email: string
  avatarKey: string | null
  /** A new password raises it and ends the sessions of earlier epochs. */
  sessionEpoch: number
}

const columns = 'id, name, email, avatar_key as "avatarKey", session_epoch as "sessionEpoch"'

/** Those of the accounts that can sign in: bots have no email address. */
export function accountsById(db: Db, ids: string[]): Promise<ChatAccount[]> {
  return db.query<ChatAccount>(`select ${columns} from accounts where id = any($1::uuid[]) and email is not null`, [
    ids,
  ])
}

/** The epochs of those of the accounts that exist. */
export function sessionEpochs(db: Db, ids: string[]): Promise<{ id: string; sessionEpoch: number }[]> {
  return db.query(`select id, session_epoch as "sessionEpoch" from accounts where id = any($1::uuid[])`, [ids])
}

/** An account and its password hash, read from the same row so that the hash belongs to this `sessionEpoch`. */
export async function accountByEmail(
  db: Db,
  email: string,
): Promise<{ account: ChatAccount; passwordHash: string } | undefined> {
  const [row] = await db.query<ChatAccount & { passwordHash: string }>(
    `select ${columns}, password_hash as "passwordHash" from accounts where email = $1`,
    [email],
  )
  if (row === undefined) return undefined
  const { passwordHash, ...account } = row
  return { account, passwordHash }
}

export async function passwordHashOf(db: Db, id: string): Promise<string | undefined> {
  const [row] = await db.query<{ hash: string }>('select password_hash as hash from accounts where id = $1', [id])
  return row?.hash
}

/** Returns undefined when the email address already has an account. */
export async function insertAccount(
  db: Db,
  name: string,
  email: string,
  passwordHash: string,
): Promise<ChatAccount | undefined> {
  const [account] = await db.query<ChatAccount>(
    `insert into accounts (name, email, password_hash) values ($1, $2, $3)
     on conflict (email) do nothing
     returning ${columns}`,
    [name, email, passwordHash],
  )
  return account
}

export async function updateName(db: Db, id: string, name: string): Promise<void> {
  await db.query('update accounts set name = $2 where id = $1', [id, name])
}

/** Stores a new password hash and ends all sessions of the account. */
export async function updatePassword(db: Db, id: string, passwordHash: string): Promise<void> {
  await db.query('update accounts set password_hash = $2, session_epoch = session_epoch + 1 where id = $1', [
    id,
    passwordHash,
  ])
}

/** Stores a new hash of the same password; the sessions continue. Does nothing when the password was changed meanwhile. */
export async function replaceHash(db: Db, id: string, oldHash: string, newHash: string): Promise<void> {
  await db.query('update accounts set password_hash = $3 where id = $1 and password_hash = $2', [id, oldHash, newHash])
}
