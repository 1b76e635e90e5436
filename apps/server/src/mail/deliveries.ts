import type { Db } from '../platform/db.js'
import { MailRefused, type Mail, type Mailer } from './mailer.js'

/** How long somebody who has begun to send a mail is left alone: far longer than sending takes. */
const defaultLeaseMs = 60_000

/**
 * Sends a mail once, whoever calls this how often. When somebody died between sending and noting it, the provider is
 * asked before the mail is sent again. So only a provider that took a mail and says it did not can cause a second one.
 * @throws when it is not known to be sent by now: try again later.
 */
export async function sendOnce(db: Db, mailer: Mailer, mail: Mail, leaseMs = defaultLeaseMs): Promise<void> {
  if (!(await begin(db, mail.messageId))) {
    if (await isSent(db, mail.messageId)) return
    if (!(await takeOver(db, mail.messageId, leaseMs)))
      throw new Error(`Somebody has begun to send ${mail.messageId} and may be at it`)
    if (await mailer.wasAccepted(mail.messageId)) return markSent(db, mail.messageId)
  }
  try {
    await mailer.send(mail)
  } catch (error) {
    // Nothing is in doubt, so the next try need not wait for the lease to end.
    if (error instanceof MailRefused)
      await db.query('delete from mail_deliveries where message_id = $1 and sent_at is null', [mail.messageId])
    throw error
  }
  await markSent(db, mail.messageId)
}

async function begin(db: Db, messageId: string): Promise<boolean> {
  const begun = await db.query(
    'insert into mail_deliveries (message_id) values ($1) on conflict do nothing returning message_id',
    [messageId],
  )
  return begun.length > 0
}

async function isSent(db: Db, messageId: string): Promise<boolean> {
  const sent = await db.query('select from mail_deliveries where message_id = $1 and sent_at is not null', [messageId])
  return sent.length > 0
}

/** Only one of those who try at the same time succeeds. */
async function takeOver(db: Db, messageId: string, leaseMs: number): Promise<boolean> {
  const taken = await db.query(
    `update mail_deliveries set started_at = now()
      where message_id = $1 and sent_at is null and started_at <= now() - $2 * interval '1 millisecond'
      returning message_id`,
    [messageId, leaseMs],
  )
  return taken.length > 0
}

async function markSent(db: Db, messageId: string): Promise<void> {
  await db.query('update mail_deliveries set sent_at = now() where message_id = $1', [messageId])
}
