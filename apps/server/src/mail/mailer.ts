export interface Mail {
  /** RFC 5322 Message-ID without brackets. The same mail always has the same id, so that sending can be repeated. */
  messageId: string
  /** One email address. */
  to: string
  /** One line. */
  subject: string
  /** Plain text. */
  body: string
}

/** Thrown by `send` when the provider has certainly not accepted the mail. After any other error this is unknown. */
export class MailRefused extends Error {
  constructor(cause: unknown) {
    super('The mail was not accepted', { cause })
    this.name = 'MailRefused'
  }
}

/** Sends mail, through Mailgun or to a mailbox in the database that people and tests can open. */
export interface Mailer {
  /**
   * Resolves when the provider has accepted the mail.
   * @throws MailRefused when it has not; any other error when this is unknown.
   */
  send(mail: Mail): Promise<void>
  /** Has the provider accepted a mail with this Message-ID? Called before a send with an unknown result is repeated. */
  wasAccepted(messageId: string): Promise<boolean>
  /** Throws with the reason when a mail sent now would not be accepted. */
  check(): Promise<void>
}
