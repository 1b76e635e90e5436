import { mustBeSound, peopleIn, type Workload } from '../measurement.js'

export const quietRoom: Workload = {
  name: 'quiet-room',
  title: 'Quiet room',
  about: '200 people in one room, five messages a second, each alone: how long from sending one to its arrival.',
  candidates: ['chat', 'chat-at', 'tutorial', 'socketio'],
  async measure({ start, isQuick }) {
    const { run } = await start({ rooms: 1, people: peopleIn(1, 200) })
    // At five messages a second it takes a while until the code of a new process is compiled.
    const result = await run(5, isQuick ? {} : { warmup: 10, seconds: 30 })
    mustBeSound(result)
    const { latency, ack } = result
    return [
      { metric: 'send to receive p50', unit: 'ms', value: latency.p50 },
      { metric: 'send to receive p99', unit: 'ms', value: latency.p99 },
      { metric: 'acknowledged p50', unit: 'ms', value: ack.p50 },
    ]
  },
}
