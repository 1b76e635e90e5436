import { authorOf, type ToPerson } from '../accounts/person.js'
import type { Found, FoundPage } from '../contract.js'
import type { Db } from '../platform/db.js'
import { findMessages, marks, type FoundRow, type Wanted } from './queries.js'

export type Search = ReturnType<typeof createSearch>

/** Full text search in Russian and English, in the rooms of an account. */
export function createSearch({ db, toPerson }: { db: Db; toPerson: ToPerson }) {
  const toFound = (row: FoundRow): Found => ({
    roomId: row.roomId,
    seq: row.seq,
    author: toPerson(authorOf(row)),
    postedAt: row.postedAt.toISOString(),
    excerpt: row.excerpt.split(new RegExp(`[${marks.before}${marks.after}]`)),
  })

  return {
    /** Messages with all words of the text, the newest first; `after` is `next` of the page before. */
    async find(accountId: string, wanted: Wanted, after: string | undefined, limit: number): Promise<FoundPage> {
      const rows = await findMessages(db, accountId, wanted, after, limit + 1)
      const shown = rows.slice(0, limit)
      return { found: shown.map(toFound), next: rows.length > limit ? shown.at(-1)!.place : null }
    },
  }
}
