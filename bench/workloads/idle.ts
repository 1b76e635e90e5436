import { peopleIn, type Workload } from '../measurement.js'

const people = 5_000

export const idle: Workload = {
  name: 'idle',
  title: 'Idle connections',
  about: `${people} people in 100 rooms, who do nothing: how much memory of the server each of them adds.`,
  candidates: ['chat', 'chat-at', 'socketio', 'ws', 'centrifuge'],
  async measure({ start, isQuick }) {
    const { connection, measure } = await start({ rooms: 100, people: peopleIn(100, people) })
    const {
      seconds,
      use: { server },
    } = await measure('rest', { seconds: isQuick ? 3 : 20 })
    const before = connection.before.server
    if (server === undefined || before === undefined) return []
    return [
      { metric: 'memory per connection', unit: 'KB', value: (server.rssKb - before.rssKb) / people },
      { metric: 'CPU of the idle server', unit: '% of a core', value: (100 * server.cpu) / seconds },
    ]
  },
}
