import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

const handedOut = new Set<number>()

/** A free port. Each port is returned only once per process, because it may still be free at the next call. */
export async function freePort(): Promise<number> {
  for (;;) {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    await new Promise((resolve) => probe.close(resolve))
    if (handedOut.has(port)) continue
    handedOut.add(port)
    return port
  }
}
