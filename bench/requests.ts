/** HTTP requests one after another, and how long each kind of them takes. */
import type { Figure } from './measurement.js'
import { quantile } from './statistics.js'

interface Requests {
  /** The address of the next request of each kind. */
  addresses: Record<string, () => string>
  headers: Record<string, string>
  /** Requests of each kind that do not count, and then those that do. */
  warmups: number
  count: number
  /** Which quantiles to report, like 0.99. */
  shares: number[]
  /** On how much data, for the names of the figures. */
  size: string
}

/** Takes turns between the kinds of requests. @throws when a request is refused. */
export async function timeRequests({ addresses, headers, warmups, count, shares, size }: Requests): Promise<Figure[]> {
  const kinds = Object.entries(addresses).map(([name, nextAddress]) => ({ name, nextAddress, times: [] as number[] }))
  for (let i = 0; i < warmups + count; i += 1) {
    for (const { name, nextAddress, times } of kinds) {
      const address = nextAddress()
      const begin = performance.now()
      const response = await fetch(address, { headers })
      const text = await response.text()
      if (!response.ok) throw new Error(`${name}: ${response.status} ${text}`)
      if (i >= warmups) times.push(performance.now() - begin)
    }
  }
  return kinds.flatMap(({ name, times }) =>
    shares.map((share) => ({ metric: `${name} p${share * 100}, ${size}`, unit: 'ms', value: quantile(times, share) })),
  )
}
