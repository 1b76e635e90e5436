import { startServices } from '../services/services.js'

/** Real services for the run; `npm test` has started them already and their addresses are in the environment. */
export default async function setup() {
  const services = await startServices()
  Object.assign(process.env, services.env)
  return () => services.stop()
}
