import type { Accounts } from '../accounts/accounts.js'
import type { EventOf } from '../events/events.js'
import type { Db } from '../platform/db.js'
import { sendOnce } from './deliveries.js'
import type { Mailer } from './mailer.js'

interface SendWelcomeOptions {
  db: Db
  accounts: Pick<Accounts, 'find'>
  mailer: Mailer
  publicUrl: string | null
  /** See `sendOnce`. */
  leaseMs?: number
}

/** Sends the welcome mail to a new account, once. */
export function sendWelcome({ db, accounts, mailer, publicUrl, leaseMs }: SendWelcomeOptions) {
  return async ({ payload: { accountId } }: EventOf<'account.registered'>): Promise<void> => {
    const account = await accounts.find(accountId)
    if (account === undefined) return
    const mail = {
      messageId: `account-registered.${account.id}@chat`,
      to: account.email,
      // Not a word of theirs: whoever signed up may have done it with somebody else's address.
      subject: 'Welcome to the chat!',
      body: [
        'Hello,',
        'your account is ready. Pick a room, say hello, and somebody will answer.',
        ...(publicUrl === null ? [] : [publicUrl]),
        'If it was not you who signed up with this address, you can ignore this mail.',
      ].join('\n\n'),
    }
    await sendOnce(db, mailer, mail, leaseMs)
  }
}
