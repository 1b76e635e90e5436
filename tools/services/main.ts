/** `npm run services`: starts the services for single tests, and stops them on Ctrl-C. */
import { once } from 'node:events'
import { startServices } from './services.js'

const services = await startServices()
for (const [name, value] of Object.entries(services.env)) process.stdout.write(`export ${name}=${value}\n`)
const keepAlive = setInterval(() => undefined, 60_000)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
clearInterval(keepAlive)
await services.stop()
