import { createStorage } from '../adapters.js'
import type { Task } from './task.js'
import { untilItAnswers } from './wait.js'

export const bucket: Task = async ({ config, log }) => {
  await untilItAnswers('the storage', () => createStorage(config).prepare(), log)
  log.info({ storage: config.storage.kind }, 'the storage is ready')
  return 0
}
