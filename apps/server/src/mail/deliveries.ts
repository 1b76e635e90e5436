import type { Db } from '../platform/db.js'
import { MailRefused, type Mail, type Mailer } from './mailer.js'

/** Another process takes over a delivery after this time. It is much longer than sending a mail takes. */
const defaultLeaseMs = 60_000

/**
 * Sends a mail once, even when it is called several times or by several processes. When a process died while it sent the
 * mail, the provider is asked before the mail is sent again. So there is a second mail only when the provider has accepted
 * the first one and says that it has not.
 * @throws when it is not certain that the mail was sent. Try again later.
 */
export async function sendOnce(db: Db, mailer: Mailer, mail: Mail, leaseMs = defaultLeaseMs): Promise<void> {
  if (!(await begin(db, mail.messageId))) {
    if (await isSent(db, mail.messageId)) return
    if (!(await takeOver(db, mail.messageId, leaseMs)))
      throw new Error(`Another process has started to send ${mail.messageId}`)
    if (await mailer.wasAccepted(mail.messageId)) return markSent(db, mail.messageId)
  }
  try {
    await mailer.send(mail)
  } catch (error) {
    // The mail was certainly not sent, so the next attempt need not wait for the lease to end.
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

/** Takes over a delivery whose lease has ended. Of several calls at the same time, only one returns true. */
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
