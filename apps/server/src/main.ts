import { once } from 'node:events'
import { createApp } from './app.js'
import { readConfig } from './config.js'
import { explain } from './platform/explain.js'

try {
  const config = readConfig(process.env)
  const app = createApp(config)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort(signal))

  await app.start()
  app.log.info({ url: app.url }, 'listening')
  if (!stop.signal.aborted) await once(stop.signal, 'abort')

  app.log.info({ signal: stop.signal.reason as string }, 'stopping')
  setTimeout(() => process.exit(1), config.stopTimeoutMs).unref() // when stopping hangs, before the cluster kills the process
  await app.stop()
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exit(1)
}
