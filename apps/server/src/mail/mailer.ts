export interface Mail {
  /** RFC 5322 Message-ID without brackets: the same mail always has the same one, so that sending can be repeated. */
  messageId: string
  /** One address. */
  to: string
  /** One line. */
  subject: string
  /** Plain text. */
  body: string
}

/** Thrown by `send` when the provider has certainly not taken the mail; after any other error nobody knows. */
export class MailRefused extends Error {
  constructor(cause: unknown) {
    super('The mail was not taken', { cause })
    this.name = 'MailRefused'
  }
}

/** Sends mail: Mailgun, or a mailbox in the database that people and tests can open. */
export interface Mailer {
  /**
   * Resolves once the provider has taken the mail.
   * @throws MailRefused when it has not; any other error when the answer was lost.
   */
  send(mail: Mail): Promise<void>
  /** Has the provider taken a mail with this Message-ID? Asked before a send whose outcome was lost is repeated. */
  wasAccepted(messageId: string): Promise<boolean>
  /** Throws with the reason when a mail sent now would not be accepted. */
  check(): Promise<void>
}
