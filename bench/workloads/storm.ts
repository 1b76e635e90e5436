import { mustBeSound, type Workload } from '../measurement.js'

const people = 2_000
const seconds = 30

export const storm: Workload = {
  name: 'storm',
  title: 'Storm',
  about: `${people} people on two replicas, one of which is killed. Its half comes back to the other after a random time of the ordinary client (1 to 5 s), and asks for what it missed, while 20 people of the other half post 20 messages a second. Before, they post as long without a storm.`,
  candidates: ['chat', 'chat-at'],
  async measure({ start, isQuick }) {
    const half = people / 2
    const { stage, usual, measure, run } = await start({
      rooms: 20,
      people: Array.from({ length: people }, (_, index) => ({ room: index % 20, replica: index < half ? 1 : 0 })),
      replicas: 2,
      countStatements: true,
    })
    const [victim, survivor] = stage.replicas
    if (victim === undefined || survivor === undefined || stage.database === undefined) return []
    const statements = async () => {
      const [row] = (await stage.database?.query(
        'select sum(calls)::int as calls from pg_stat_statements s join pg_database d on d.oid = s.dbid where datname = current_database()',
      )) as { calls: number }[]
      return row?.calls ?? 0
    }
    const posting = { warmup: 0, seconds, senders: 20, sendersAmong: half }
    const atFirst = await statements()
    const calm = await run(20, posting)
    mustBeSound(calm)
    const before = await statements()
    const perPost = (before - atFirst) / calm.ack.count
    const result = await measure('storm', {
      ...usual(20),
      ...posting,
      victim: victim.pid,
      from: `ws://${victim.origin}`,
      into: `ws://${survivor.origin}`,
      killAfter: isQuick ? 1 : 3,
    })
    mustBeSound(result)
    return [
      { metric: 'all are back and have everything', unit: 's', value: result.back.max / 1000 },
      { metric: 'half are back', unit: 's', value: result.back.p50 / 1000 },
      {
        metric: 'SQL statements more than without the storm',
        unit: '',
        value: (await statements()) - before - perPost * result.ack.count,
      },
      { metric: 'HTTP requests per client that came back', unit: '', value: result.requests / result.returned },
      { metric: 'HTTP requests that failed and were made again', unit: '', value: result.failed },
      { metric: 'posts of others refused meanwhile', unit: '', value: result.refused },
      { metric: 'posts of others acknowledged meanwhile', unit: '', value: result.ack.count - result.refused },
      { metric: 'their acknowledgement p99', unit: 'ms', value: result.ack.p99 },
    ]
  },
}
