import { z } from 'zod'
import { limits } from '../contract.js'
import { ChatError } from '../platform/errors.js'
import type { Database } from '../platform/db.js'
import type { Waiting } from '../platform/gate.js'
import { because, line } from '../platform/input.js'
import { createLoader } from '../platform/loader.js'
import { recordEvent } from '../events/outbox.js'
import { hashPassword, isOutdated, refuseWeak, verifyPassword } from './password.js'
import {
  accountByEmail,
  accountsById,
  insertAccount,
  passwordHashOf,
  replaceHash,
  sessionEpochs,
  updateName,
  updatePassword,
  type ChatAccount,
} from './queries.js'

export type { ChatAccount }

// What mail programs and other chats turn into a link: a URL with its scheme, an IP address, a host name.
const link = /:\/\/|\bwww\.|\d(\.\d+){3}|[\p{L}\p{M}\p{N}-][.。]\p{L}[\p{L}\p{M}\p{N}-]/iu
/** Initials, as in `J.R.Smith`: they look like a host name and are none. */
const initials = /(?<![\p{L}\p{M}\p{N}-])\p{Lu}\.(?=\p{Lu}[\p{Ll}.])/gu

/** The schema of a person's name. Other people see a name without asking for it, so a name must not be a link. */
export function nameOf() {
  const isLink = (name: string) =>
    link.test(
      name
        .normalize('NFKC')
        .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
        .replace(initials, ''),
    )
  return line('a name', limits.name).refine(
    (name) => !isLink(name),
    because('name_is_link', 'A name must not look like a link. Put a space after each dot.'),
  )
}

/** The schema of an email address. The result is trimmed and in lower case, as it is stored and compared. */
export function emailOf() {
  const sentence = 'Please enter an email address like ann@example.com.'
  return z.string(sentence).trim().toLowerCase().pipe(z.email(sentence).max(limits.email, sentence))
}

/** The schema of a password that is to be verified. A password that is too long is reported as wrong. */
export function passwordOf() {
  return z.string('Please enter your password.').max(1000, 'The password is wrong.')
}

export type Accounts = ReturnType<typeof createAccounts>

/** The accounts of people: sign up, sign in, find, change. */
export function createAccounts({ db }: { db: Database }) {
  // Verified when no account has the email address, so that the response time does not show whether one has it.
  const nobody = hashPassword('a password of nobody')

  const find = createLoader<string, ChatAccount | undefined>({
    async load(ids) {
      const accounts = new Map((await accountsById(db, ids)).map((account) => [account.id, account]))
      return ids.map((id) => accounts.get(id))
    },
  })

  // `waiting`: hashing is slow and has a queue, in which clients take turns by IP address.
  return {
    /** @throws ChatError as `refuseWeak` does, `email_taken`. */
    async signUp(
      { name, email, password }: { name: string; email: string; password: string },
      waiting?: Waiting,
    ): Promise<ChatAccount> {
      await refuseWeak(password, { name, email })
      const hash = await hashPassword(password, waiting)
      return db.transaction(async (tx) => {
        const account = await insertAccount(tx, name, email, hash)
        if (account === undefined)
          throw new ChatError('email_taken', 'This email already has an account.', { field: 'email' })
        await recordEvent(tx, { type: 'account.registered', payload: { accountId: account.id } })
        return account
      })
    },

    /** @throws ChatError `wrong_password`, the same for an unknown email address and for a wrong password. */
    async signIn({ email, password }: { email: string; password: string }, waiting?: Waiting): Promise<ChatAccount> {
      const found = await accountByEmail(db, email)
      const right = await verifyPassword(password, found?.passwordHash ?? (await nobody), waiting)
      if (found === undefined || !right) throw new ChatError('wrong_password', 'Wrong email or password.')
      const { account, passwordHash } = found
      if (isOutdated(passwordHash))
        await replaceHash(db, account.id, passwordHash, await hashPassword(password, waiting))
      return account
    },

    /** Undefined when there is no such account, or when it cannot sign in. */
    find,

    /** The `sessionEpoch` of each account that exists. */
    async sessionEpochs(ids: string[]): Promise<Map<string, number>> {
      const rows = await sessionEpochs(db, ids)
      return new Map(rows.map(({ id, sessionEpoch }) => [id, sessionEpoch]))
    },

    /** @throws ChatError `no_such_account`. */
    async findByEmail(email: string): Promise<ChatAccount> {
      const found = await accountByEmail(db, email)
      if (found === undefined) throw new ChatError('no_such_account', 'Nobody here has this email.', { field: 'email' })
      return found.account
    },

    /**
     * Changes the given fields. A new password needs the current one, and ends all sessions by a new `sessionEpoch`.
     * @throws ChatError as `refuseWeak` does, `wrong_current_password`.
     */
    async change(
      account: ChatAccount,
      { name, password, currentPassword }: { name?: string; password?: string; currentPassword?: string },
      waiting?: Waiting,
    ): Promise<ChatAccount> {
      let hash: string | undefined
      if (password !== undefined) {
        const current = (await passwordHashOf(db, account.id)) ?? (await nobody)
        const isRight = await verifyPassword(currentPassword ?? '', current, waiting)
        if (!isRight)
          throw new ChatError('wrong_current_password', 'The current password is wrong.', { field: 'currentPassword' })
        await refuseWeak(password, { name: name ?? account.name, email: account.email })
        hash = await hashPassword(password, waiting)
      }
      return db.transaction(async (tx) => {
        if (name !== undefined) await updateName(tx, account.id, name)
        if (hash !== undefined) await updatePassword(tx, account.id, hash)
        const [changed = account] = await accountsById(tx, [account.id])
        return changed
      })
    },
  }
}
