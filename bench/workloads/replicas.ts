import { cpuPerDelivery, mustBeSound, type Figure, type Workload } from '../measurement.js'

const readers = 1_000
const rate = 20

export const replicas: Workload = {
  name: 'replicas',
  title: 'Several replicas',
  about: `The hot room at ${rate} messages a second, its ${readers} readers spread over one, two and three servers. All who post are on the first: between servers messages can overtake each other, and clients put them in order, but here each one out of order counts as a fault.`,
  candidates: ['chat', 'chat-at'],
  async measure({ start, stop }) {
    const figures: Figure[] = []
    for (const count of [1, 2, 3]) {
      const people = Array.from({ length: readers }, (_, index) => ({
        room: 0,
        replica: Math.floor((index * count) / readers),
      }))
      const { run } = await start({ rooms: 1, people, replicas: count })
      const result = await run(rate, { sendersAmong: Math.floor(readers / count) })
      await stop()
      mustBeSound(result)
      const server = cpuPerDelivery(result).find(({ metric }) => metric.endsWith('server'))
      if (server !== undefined) figures.push({ ...server, metric: `CPU per delivery, replicas: ${count}` })
    }
    return figures
  },
}
