import type { Accounts } from './accounts/accounts.js'
import { sendWelcome } from './mail/send-welcome.js'
import type { Mailer } from './mail/mailer.js'
import type { Messages } from './messages/messages.js'
import type { Consumer } from './events/bus.js'
import type { EventType } from './events/events.js'
import type { Db } from './platform/db.js'
import { greetNewcomer } from './greeter/greet-newcomer.js'
import type { Rooms } from './rooms/rooms.js'

/** All consumers by name, with the type of event that each one handles. */
export const consumerEvents = {
  'greet-newcomer': 'member.joined',
  'send-welcome': 'account.registered',
} as const satisfies Record<string, EventType>

interface ConsumersOptions {
  db: Db
  accounts: Pick<Accounts, 'find'>
  rooms: Pick<Rooms, 'requireMember' | 'admitBot'>
  messages: Pick<Messages, 'post'>
  mailer: Mailer
  /** The URL of the chat for the welcome mail. Null when it is unknown. */
  publicUrl: string | null
}

/** Creates all consumers. The worker runs them, or the server when there is no RabbitMQ. */
export function createConsumers({ db, accounts, rooms, messages, mailer, publicUrl }: ConsumersOptions): Consumer[] {
  return [
    {
      name: 'greet-newcomer',
      type: consumerEvents['greet-newcomer'],
      handle: greetNewcomer({ accounts, rooms, messages }),
    },
    {
      name: 'send-welcome',
      type: consumerEvents['send-welcome'],
      handle: sendWelcome({ db, accounts, mailer, publicUrl }),
    },
  ]
}
