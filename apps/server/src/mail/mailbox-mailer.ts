import type { Db } from '../platform/db.js'
import type { Mail, Mailer } from './mailer.js'

export interface ReceivedMail extends Mail {
  sentAt: Date
}

/** Stores mail in the database, where `GET /mailbox` shows it. For a chat without a mail provider. */
export function createMailboxMailer({ db }: { db: Db }): Mailer {
  return {
    async send({ messageId, to, subject, body }) {
      await db.query(
        'insert into mailbox (message_id, recipient, subject, body) values ($1, $2, $3, $4) on conflict (message_id) do nothing',
        [messageId, to, subject, body],
      )
    },
    async wasAccepted(messageId) {
      const found = await db.query('select from mailbox where message_id = $1', [messageId])
      return found.length > 0
    },
    async check() {
      await db.query('select from mailbox limit 1')
    },
  }
}

/** The newest mails to one email address, or all mails when it is null, the newest first. */
export function listMails(db: Db, recipient: string | null, limit: number): Promise<ReceivedMail[]> {
  return db.query<ReceivedMail>(
    `select message_id as "messageId", recipient as "to", subject, body, sent_at as "sentAt"
       from mailbox
      where $1::text is null or recipient = $1
      order by sent_at desc, message_id
      limit $2`,
    [recipient, limit],
  )
}
