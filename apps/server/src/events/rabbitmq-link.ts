import { randomUUID } from 'node:crypto'
import type { Channel, ChannelModel, ConfirmChannel, Message } from 'amqplib'
import { within } from '../platform/deadline.js'

/** How long the broker may take to answer, and to say goodbye. */
export const callMs = 5_000
export const goodbyeMs = 2_000
/** Counts the attempts of a consumer. */
export const attemptHeader = 'chat-attempt'

/** One connection to the broker, for as long as it lasts. */
export interface Link {
  model: ChannelModel
  /** Where events are published; `returned` has the tickets of those that no queue took. */
  channel: ConfirmChannel
  returned: Set<string>
  isBlocked: boolean
  consuming: { channel: Channel; tag: string }[]
}

/** Resolves once the broker has written the message to a queue. @throws when it has not, and when no queue takes it. */
export async function send(
  on: Link,
  exchange: string,
  key: string,
  content: Buffer,
  about: { messageId: string; attempt: number },
): Promise<void> {
  const isTaken = await deliver(on, exchange, key, content, about)
  if (!isTaken) throw new Error(`No queue takes ${key}`)
}

/** Resolves once the broker has confirmed the message: false when there was no queue for it. */
export async function deliver(
  on: Link,
  exchange: string,
  key: string,
  content: Buffer,
  about: { messageId: string; attempt: number },
): Promise<boolean> {
  if (on.isBlocked) throw new Error('RabbitMQ takes no events at the moment')
  const ticket = randomUUID()
  const confirmed = new Promise<void>((resolve, reject) => {
    const options = {
      persistent: true,
      // Makes the broker send back what no queue takes, before it confirms.
      mandatory: true,
      contentType: 'application/json',
      messageId: about.messageId,
      correlationId: ticket,
      headers: { [attemptHeader]: about.attempt },
    }
    on.channel.publish(exchange, key, content, options, (error: Error | null) =>
      error === null ? resolve() : reject(error),
    )
  })
  await within(callMs, 'The confirmation of RabbitMQ', confirmed)
  return !on.returned.delete(ticket)
}

/** Moves what is in one queue now to another; each message is in one of them, or for a moment in both. */
export function replayQueue(on: Link, from: string, to: string): Promise<number> {
  return onChannel(on, async (channel) => {
    // What dies again at once is not taken again: the count is of before.
    const { messageCount } = await within(callMs, 'RabbitMQ', channel.checkQueue(from))
    let count = 0
    while (count < messageCount) {
      const message = await within(callMs, 'RabbitMQ', channel.get(from))
      if (message === false) break
      await send(on, '', to, message.content, { messageId: idOf(message), attempt: 1 })
      channel.ack(message)
      count += 1
    }
    return count
  })
}

/** Work on a channel of its own, since an error ends the channel. */
async function onChannel<Result>(on: Link, work: (channel: Channel) => Promise<Result>): Promise<Result> {
  const channel = await within(callMs, 'RabbitMQ', on.model.createChannel())
  let isOpen = true
  channel.on('close', () => (isOpen = false))
  // The call that caused it is refused with the same error.
  channel.on('error', () => undefined)
  try {
    return await work(channel)
  } finally {
    if (isOpen) await within(callMs, 'RabbitMQ', channel.close()).catch(() => undefined)
  }
}

/** amqplib waits for an answer to its goodbye, if need be for ever: the other side may hang up without one, or be frozen. */
export async function sayGoodbye(to: { close(): Promise<void> }, model: ChannelModel | undefined): Promise<void> {
  const hungUp = new Promise<void>((resolve) => model?.once('close', () => resolve()))
  await within(goodbyeMs, 'Disconnecting', Promise.race([to.close(), hungUp])).catch(() => undefined)
}

/** The event's id, which every message carries. */
export function idOf({ properties }: Message): string {
  return typeof properties.messageId === 'string' ? properties.messageId : 'unknown'
}
