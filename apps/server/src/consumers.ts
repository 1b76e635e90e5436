import type { Accounts } from './accounts/accounts.js'
import { sendWelcome } from './mail/send-welcome.js'
import type { Mailer } from './mail/mailer.js'
import type { Messages } from './messages/messages.js'
import type { Consumer } from './events/bus.js'
import type { EventType } from './events/events.js'
import type { Db } from './platform/db.js'
import { greetNewcomer } from './greeter/greet-newcomer.js'
import type { Rooms } from './rooms/rooms.js'

/** Who there is, and which event wakes whom. */
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
  /** Where people find the chat, for the mail; null when nobody knows. */
  publicUrl: string | null
}

/** All of them, run by the worker, or by the server where there is no RabbitMQ. */
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
