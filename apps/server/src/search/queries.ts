import { authorColumns, type AuthorColumns } from '../accounts/person.js'
import type { Db } from '../platform/db.js'

/** What to search for. A field that is undefined does not matter. */
export interface Wanted {
  text: string
  roomId: string | undefined
  authorId: string | undefined
  /** Days, as `2026-11-30`, in UTC: from the beginning of the first to the end of the last. */
  since: string | undefined
  until: string | undefined
}

export interface FoundRow extends AuthorColumns {
  roomId: string
  seq: number
  postedAt: Date
  /** The text around the words, with a mark before and after each word. */
  excerpt: string
  /** Its place in the order of all found messages. */
  place: string
}

// Nobody types these characters: Unicode leaves them for private use.
export const marks = { before: '\ue000', after: '\ue001' }
const marked = `StartSel="${marks.before}", StopSel="${marks.after}"`
const whole = `${marked}, HighlightAll=true`
const parts = `${marked}, MaxFragments=2, MinWords=8, MaxWords=24, FragmentDelimiter=" … "`

/**
 * Messages with these words in rooms of which the account is a member, the newest first. The membership is read in the
 * same statement, so a member who has left finds nothing from that moment.
 * @param after the `place` after which to continue.
 */
export function findMessages(
  db: Db,
  accountId: string,
  { text, roomId, authorId, since, until }: Wanted,
  after: string | undefined,
  limit: number,
): Promise<FoundRow[]> {
  return db.query<FoundRow>(
    `select f.room_id as "roomId", f.seq, ${authorColumns}, f.posted_at as "postedAt",
            ts_headline('russian', f.body, websearch_to_tsquery('russian', $2),
                        case when char_length(f.body) <= 300 then $8 else $10 end) as excerpt,
            concat_ws(' ', extract(epoch from f.posted_at), f.seq, f.room_id) as place
       from (
         select m.room_id, m.seq, m.author_id, m.posted_at, m.body
           from messages m
          where m.search @@ websearch_to_tsquery('russian', $2)
            and m.room_id in (select room_id from memberships where account_id = $1)
            and ($3::uuid is null or m.room_id = $3)
            and ($4::uuid is null or m.author_id = $4)
            and ($5::date is null or m.posted_at >= $5::date)
            and ($6::date is null or m.posted_at < $6::date + 1)
            and ($7::text is null or (m.posted_at, m.seq, m.room_id) < (
              to_timestamp(split_part($7, ' ', 1)::float8), split_part($7, ' ', 2)::bigint, split_part($7, ' ', 3)::uuid))
          order by m.posted_at desc, m.seq desc, m.room_id desc
          limit $9
       ) f join accounts a on a.id = f.author_id
      order by f.posted_at desc, f.seq desc, f.room_id desc`,
    [accountId, text, roomId, authorId, since, until, after, whole, limit, parts],
  )
}
