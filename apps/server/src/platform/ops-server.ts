import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collectDefaultMetrics, Gauge, register } from 'prom-client'

collectDefaultMetrics()
const buildInfo = new Gauge({
  name: 'chat_build_info',
  help: 'Always 1; the label is the release',
  labelNames: ['version'],
})

export interface OpsServer {
  port: number
  close(): void
}

/** Serves /metrics, /healthz, /readyz and /version on a separate port, which only the cluster can reach. */
export async function startOpsServer({
  host,
  port,
  version,
  isReady,
}: {
  host: string
  port: number
  version: string
  isReady: () => Promise<boolean>
}): Promise<OpsServer> {
  buildInfo.set({ version }, 1)
  const pages: Record<string, () => Promise<{ status: number; type: string; body: string }>> = {
    '/metrics': async () => ({ status: 200, type: register.contentType, body: await register.metrics() }),
    '/healthz': async () => ({ status: 200, type: 'text/plain', body: 'ok\n' }),
    '/readyz': async () =>
      (await isReady())
        ? { status: 200, type: 'text/plain', body: 'ready\n' }
        : { status: 503, type: 'text/plain', body: 'not ready\n' },
    '/version': async () => ({ status: 200, type: 'application/json', body: JSON.stringify({ version }) }),
  }
  const server = createServer(async (req, res) => {
    const page = req.method === 'GET' ? pages[req.url ?? ''] : undefined
    const { status, type, body } = (await page?.()) ?? { status: 404, type: 'text/plain', body: 'not found\n' }
    res.writeHead(status, { 'content-type': type }).end(body)
  })
  server.listen(port, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
