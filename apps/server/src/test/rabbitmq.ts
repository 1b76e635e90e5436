import { connect, type ConfirmChannel } from 'amqplib'

/** Lends a channel for looking at a broker from outside the chat. */
export async function withChannel<Result>(
  uri: string,
  work: (channel: ConfirmChannel) => Promise<Result>,
): Promise<Result> {
  const connection = await connect(uri)
  try {
    const channel = await connection.createConfirmChannel()
    const result = await work(channel)
    // Closing would overtake what is still to be sent.
    await channel.waitForConfirms()
    await channel.close()
    return result
  } finally {
    await connection.close()
  }
}

/** Removes what a test's bus has made. `delaysMs` as the bus was given. */
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
        await channel.deleteQueue(name)
    }
    await channel.deleteExchange(`${prefix}.events`)
  })
}
