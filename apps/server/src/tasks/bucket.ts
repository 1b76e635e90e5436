import { createStorage } from '../adapters.js'
import type { Task } from './task.js'

export const bucket: Task = async ({ config, log }) => {
  await createStorage(config).prepare()
  log.info({ storage: config.storage.kind }, 'the place for pictures is ready')
  return 0
}
