import { once } from 'node:events'
import { readConfig } from '@chat/server/config'
import { explain } from '@chat/server/platform/explain'
import { createWorker } from './app.js'

try {
  const config = readConfig(process.env)
  const worker = createWorker(config)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort(signal))

  const stopped = once(stop.signal, 'abort')
  await Promise.race([worker.start(), stopped])
  if (!stop.signal.aborted) worker.log.info('working')
  await stopped

  worker.log.info({ signal: stop.signal.reason as string }, 'stopping')
  setTimeout(() => process.exit(1), config.stopTimeoutMs).unref() // when stopping hangs, before the cluster kills the process
  await worker.stop()
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exit(1)
}
