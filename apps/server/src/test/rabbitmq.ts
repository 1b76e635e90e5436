import { Connection, type Channel } from 'rabbitmq-client'

/** Runs `work` with a channel to the broker that the chat does not use. */
export async function withChannel<Result>(uri: string, work: (channel: Channel) => Promise<Result>): Promise<Result> {
  const connection = new Connection(uri)
  const channel = await connection.acquire()
  try {
    return await work(channel)
  } finally {
    await channel.close()
    await connection.close()
  }
}

/** Deletes the queues and the exchange of a test's bus. `delaysMs` must be those of the bus. */
export async function removeQueues(
  uri: string,
  prefix: string,
  consumers: string[],
  delaysMs: readonly number[],
): Promise<void> {
  await withChannel(uri, async (channel) => {
    for (const consumer of consumers) {
      const queue = `${prefix}.${consumer}`
      for (const name of [queue, `${queue}.dead`, ...delaysMs.map((delayMs) => `${queue}.retry.${delayMs}`)])
        await channel.queueDelete(name)
    }
    await channel.exchangeDelete({ exchange: `${prefix}.events` })
  })
}
