import { cpuPerDelivery, objections, type Figure, type Workload } from '../measurement.js'

const readers = 1_000
const rate = 20

export const replicas: Workload = {
  name: 'replicas',
  title: 'Several replicas',
  about: `The hot room at ${rate} messages a second, its ${readers} readers spread over one, two and three servers.`,
  candidates: ['chat', 'chat-at'],
  async measure({ start, stop }) {
    const figures: Figure[] = []
    for (const count of [1, 2, 3]) {
      const people = Array.from({ length: readers }, (_, index) => ({ room: 0, replica: index % count }))
      const { run } = await start({ rooms: 1, people, replicas: count })
      const result = await run(rate)
      await stop()
      if (objections(result).length > 0) continue
      const server = cpuPerDelivery(result).find(({ metric }) => metric.endsWith('server'))
      if (server !== undefined) figures.push({ ...server, metric: `CPU per delivery, replicas: ${count}` })
    }
    return figures
  },
}
