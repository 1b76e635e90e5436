import type { Db } from '../platform/db.js'

/**
 * Deletes mail that is older than 90 days, and the record that it was sent. No event that causes this mail can still be
 * waiting then. Returns the number of mails.
 */
export async function deleteOldMail(db: Db): Promise<number> {
  const sent = await db.query(
    `delete from mail_deliveries where sent_at < now() - interval '90 days' returning message_id`,
  )
  const received = await db.query(`delete from mailbox where sent_at < now() - interval '90 days' returning message_id`)
  return Math.max(sent.length, received.length)
}
