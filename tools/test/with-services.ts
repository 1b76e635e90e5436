import { startServices } from '../services/services.js'

/** Starts real services for the run. `npm test` has already started them, and set their variables. */
export default async function setup() {
  const services = await startServices()
  Object.assign(process.env, services.env)
  return () => services.stop()
}
