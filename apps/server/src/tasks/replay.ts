import { consumerEvents } from '../consumers.js'
import { createInProcessBus } from '../events/in-process-bus.js'
import { createRabbitmqBus } from '../events/rabbitmq-bus.js'
import { withDatabase, type Task } from './task.js'

export const replay: Task = ({ config, log }) =>
  withDatabase(config, async (db) => {
    const bus =
      config.bus.kind === 'rabbitmq'
        ? await createRabbitmqBus({ uri: config.bus.uri, consumers: consumerEvents, log })
        : createInProcessBus({ db })
    try {
      const events = await bus.replay()
      log.info({ events }, 'parked events will be tried again')
      return 0
    } finally {
      await bus.close()
    }
  })
