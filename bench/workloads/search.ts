import { peopleIn, type Workload } from '../measurement.js'
import { timeRequests } from '../requests.js'

const rooms = 100
const vocabulary = 20_000

export const search: Workload = {
  name: 'search',
  title: 'Search',
  about: `Messages of twelve words in ${rooms} rooms, one of which has a fifth of them all. The words are as frequent as in a language: the second has half the frequency of the first. A member of 50 rooms searches one or two words, of every frequency, one search at a time.`,
  candidates: ['chat'],
  async measure({ start, messages: [count = 0], isQuick }) {
    const { stage } = await start({ rooms, people: peopleIn(rooms, rooms) })
    const [person] = stage.people
    const { database } = stage
    if (person === undefined || database === undefined) return []
    const { query } = database
    await query(
      `insert into memberships (room_id, account_id)
       select r.id, m.account_id from (select id from rooms order by id limit 50) r, memberships m
        where m.room_id = '${person.rooms[0]}'
       on conflict do nothing`,
    )
    const part = 50_000
    for (let first = 1; first <= count; first += part) {
      // With n in it, the words are drawn anew for each row.
      await query(
        `with places as (select array_agg(id order by id) as ids from rooms)
         insert into messages (room_id, seq, id, author_id, body, posted_at)
         select ids[1 + floor(${rooms} * pow(random(), 3))::int], n, gen_random_uuid(), (select id from accounts limit 1),
                (select string_agg('word' || floor(pow(${vocabulary}, random()))::int, ' ') from generate_series(1, 12 + n * 0)),
                now() - interval '1 second' * (${count} - n)
           from places, generate_series(${first}, ${Math.min(first + part - 1, count)}) as n`,
      )
    }
    await query('vacuum (analyze)')
    const word = () => `word${Math.floor(vocabulary ** Math.random())}`
    const search = (text: string) => `${stage.history}/api/search?text=${encodeURIComponent(text)}`
    return timeRequests({
      addresses: {
        'one word': () => search(word()),
        'two words': () => search(`${word()} ${word()}`),
        'one word in one room': () => `${search(word())}&roomId=${person.rooms[0]}`,
      },
      headers: person.headers,
      warmups: 100,
      count: isQuick ? 50 : 500,
      shares: [0.5, 0.95],
      size: `${count.toLocaleString('en')} messages`,
    })
  },
}
