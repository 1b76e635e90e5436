import { cpuPerDelivery, objections, peopleIn, type Figure, type Workload } from '../measurement.js'
import { highest } from '../statistics.js'

const readers = 1_000

export const hotRoom: Workload = {
  name: 'hot-room',
  title: 'Hot room',
  about: `${readers} people read one room, ten of them post 120 bytes each time. The rate grows until the 99th percentile is above 100 ms or anything is lost.`,
  candidates: ['chat', 'chat-at', 'socketio', 'ws', 'centrifuge', 'centrifuge-10ms'],
  async measure({ start, refinements }) {
    const { run } = await start({ rooms: 1, people: peopleIn(1, readers) })
    const figures: Figure[] = []
    for (const rate of [20, 100]) {
      const result = await run(rate)
      if (Object.keys(result.faults).length > 0) continue
      const at = `at ${rate} messages/s`
      figures.push(...cpuPerDelivery(result).map((figure) => ({ ...figure, metric: `${figure.metric}, ${at}` })))
      figures.push(
        { metric: `latency p99 ${at}`, unit: 'ms', value: result.latency.p99 },
        { metric: `messages per frame ${at}`, unit: '', value: result.messagesPerFrame },
        { metric: `bytes per delivery ${at}`, unit: 'B', value: result.bytesPerDelivery },
      )
    }
    const best = await highest(100, refinements, async (rate) => {
      const result = await run(rate)
      return objections(result).length > 0 ? undefined : result
    })
    if (best === undefined) return figures
    return [
      { metric: 'most delivered', unit: '/s', value: best.delivered / best.seconds },
      { metric: 'messages per frame at the most', unit: '', value: best.messagesPerFrame },
      { metric: 'bytes per delivery at the most', unit: 'B', value: best.bytesPerDelivery },
      {
        metric: 'CPU of the generator at the most',
        unit: '%',
        value: (100 * (best.use.generator?.cpu ?? 0)) / best.seconds,
      },
      { metric: 'delay of the generator itself at the most, p99', unit: 'ms', value: best.lag.p99 },
      ...figures,
    ]
  },
}
