import type { MessagePlace } from '../contract.js'
import type { Db } from '../platform/db.js'

type OneReaction = MessagePlace & { emoji: string }

/** Does nothing when the account has already reacted so. */
export async function insertReaction(db: Db, accountId: string, { roomId, seq, emoji }: OneReaction): Promise<void> {
  await db.query(
    `insert into reactions (room_id, seq, account_id, emoji) values ($1, $2, $3, $4) on conflict do nothing`,
    [roomId, seq, accountId, emoji],
  )
}

/** Does nothing when there is no such reaction. */
export async function deleteReaction(db: Db, accountId: string, { roomId, seq, emoji }: OneReaction): Promise<void> {
  await db.query('delete from reactions where room_id = $1 and seq = $2 and account_id = $3 and emoji = $4', [
    roomId,
    seq,
    accountId,
    emoji,
  ])
}

/** How many different emoji a message has. */
export async function countEmoji(db: Db, { roomId, seq }: MessagePlace): Promise<number> {
  const [counted] = await db.query<{ count: number }>(
    'select count(distinct emoji)::int as count from reactions where room_id = $1 and seq = $2',
    [roomId, seq],
  )
  return counted!.count
}
