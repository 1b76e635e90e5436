import type { Db } from '../platform/db.js'

/**
 * Forgets mail of long ago, and that it was sent. By then no event that asks for it can still be on its way.
 * Returns how many mails.
 */
export async function deleteOldMail(db: Db): Promise<number> {
  const sent = await db.query(
    `delete from mail_deliveries where sent_at < now() - interval '90 days' returning message_id`,
  )
  const received = await db.query(`delete from mailbox where sent_at < now() - interval '90 days' returning message_id`)
  return Math.max(sent.length, received.length)
}
