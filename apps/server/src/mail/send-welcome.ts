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
      // The mail contains no text of the user, who may have signed up with the email address of another person.
      subject: 'Welcome to the chat!',
      body: [
        'Hello,',
        'your account is ready. Choose a room and say hello.',
        ...(publicUrl === null ? [] : [publicUrl]),
        'If you did not sign up with this email address, you can ignore this mail.',
      ].join('\n\n'),
    }
    await sendOnce(db, mailer, mail, leaseMs)
  }
}
