import { limits, peopleIn, type Workload } from '../measurement.js'
import { highest } from '../statistics.js'

export const manyRooms: Workload = {
  name: 'many-rooms',
  title: 'Many rooms',
  about:
    '1,000 people in 20 rooms, 100 of them post. The rate grows until the 99th percentile of acknowledgements is above 100 ms. What is acknowledged is stored, and read back at the end.',
  candidates: ['chat', 'chat-at', 'tutorial'],
  async measure({ start, refinements }) {
    const { run } = await start({ rooms: 20, people: peopleIn(20, 1_000) })
    const best = await highest(100, refinements, async (rate) => {
      const result = await run(rate, { senders: 100 })
      return Object.keys(result.faults).length > 0 || result.ack.p99 > limits.p99 ? undefined : result
    })
    if (best === undefined) return []
    const { use, ack, latency } = best
    return [
      { metric: 'most durable posts', unit: '/s', value: ack.count / best.seconds },
      { metric: 'acknowledged p50', unit: 'ms', value: ack.p50 },
      { metric: 'acknowledged p99', unit: 'ms', value: ack.p99 },
      { metric: 'delivered p99', unit: 'ms', value: latency.p99 },
      ...Object.entries(use)
        .filter(([group]) => group !== 'generator')
        .map(([group, { cpu }]) => ({ metric: `CPU per post, ${group}`, unit: 'ms', value: (cpu * 1000) / ack.count })),
    ]
  },
}
