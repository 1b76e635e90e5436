import type { Figure, Workload } from '../measurement.js'
import { timeRequests } from '../requests.js'

export const history: Workload = {
  name: 'history',
  title: 'History',
  about:
    'One room with many messages, one in a hundred of them changed; its pages of 50 messages over HTTP, one request at a time.',
  candidates: ['chat'],
  async measure({ start, stop, messages, isQuick }) {
    const figures: Figure[] = []
    for (const count of messages) {
      const { stage } = await start({ rooms: 1, people: [{ room: 0 }] })
      const [person] = stage.people
      const { database } = stage
      const roomId = person?.rooms[0]
      if (person === undefined || database === undefined || roomId === undefined) return []
      const bytes = await fill(database.query, roomId, count)
      const size = `${count.toLocaleString('en')} messages`
      figures.push({ metric: `table and indexes per message, ${size}`, unit: 'B', value: bytes / count })

      const pages = `${stage.history}/api/rooms/${roomId}/messages`
      const middle = Math.floor(count / 2)
      figures.push(
        ...(await timeRequests({
          addresses: {
            oldest: () => `${pages}?after=0`,
            newest: () => pages,
            around: () => `${pages}?around=${middle}`,
            'changed after': () => `${pages}?changedAfter=${Math.floor(count / 200)}`,
            'list of rooms': () => `${stage.history}/api/rooms`,
          },
          headers: person.headers,
          warmups: 200,
          count: isQuick ? 50 : 2_000,
          shares: [0.5, 0.99],
          size,
        })),
      )
      await stop()
    }
    return figures
  },
}

/** Writes rows past the rules of the chat, in parts that end within the patience of a statement. Returns their bytes with all indexes. */
export async function fill(query: (sql: string) => Promise<Record<string, unknown>[]>, roomId: string, count: number) {
  const part = 100_000
  for (let first = 1; first <= count; first += part) {
    await query(
      `insert into messages (room_id, seq, id, author_id, body, posted_at, edited_at, version)
       select '${roomId}', seq, gen_random_uuid(), (select account_id from memberships where room_id = '${roomId}' limit 1),
              rpad(seq::text, 120, ' history'), now() - interval '1 second' * (${count} - seq),
              case when seq % 100 = 0 then now() end, case when seq % 100 = 0 then seq / 100 else 0 end
         from generate_series(${first}, ${Math.min(first + part - 1, count)}) as seq`,
    )
  }
  await query(`update rooms set head = ${count}, version = ${Math.floor(count / 100)} where id = '${roomId}'`)
  await query('vacuum (analyze) messages')
  const [size] = await query(`select pg_total_relation_size('messages')::float as bytes`)
  return Number(size?.bytes)
}
