import type { Mention } from '../contract.js'
import type { Db } from '../platform/db.js'
import { groupBy } from '../platform/group.js'
import { mentionedIn, namesEveryone } from './mentioned.js'
import * as queries from './queries.js'

export { deleteMentions, mentionsOfMessage } from './queries.js'

/**
 * Stores whom the texts name: members of the room, and all members where the person who created the room writes `@room`.
 * Returns them by `roomId seq`.
 */
export async function storeMentions(db: Db, texts: queries.Text[]): Promise<Map<string, Mention[]>> {
  const found = new Map<string, Mention[]>()
  const naming = texts.filter(({ body }) => body.includes('@'))
  if (naming.length === 0) return found
  const people = groupBy(await queries.membersNamedIn(db, naming), ({ nth }) => nth)
  const rows = naming.flatMap((text, index) => {
    const named = mentionedIn(text.body, people.get(index + 1) ?? [])
    found.set(`${text.roomId} ${text.seq}`, [...named])
    return named.map(({ id, written }) => ({ roomId: text.roomId, seq: text.seq, accountId: id, written }))
  })
  if (rows.length > 0) await queries.insertMentions(db, rows)
  const toAll = naming.filter(({ body }) => namesEveryone(body))
  for (const { roomId, seq } of toAll.length > 0 ? await queries.insertForEveryone(db, toAll) : [])
    found.get(`${roomId} ${seq}`)!.push({ id: null, name: 'room', written: 'room' })
  return found
}
