/**
 * The parts of PostgreSQL's wire protocol that a pooler needs: splitting messages, greeting, refusing.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

/** Types of the messages that a client sends; the type is the first byte. */
export const fromClient = {
  bind: 0x42,
  close: 0x43,
  copyData: 0x64,
  copyDone: 0x63,
  copyFail: 0x66,
  describe: 0x44,
  execute: 0x45,
  flush: 0x48,
  parse: 0x50,
  query: 0x51,
  sync: 0x53,
  terminate: 0x58,
} as const

/** What the first message of a connection asks for. It has a code instead of a type. */
export const startupCode = { protocol3: 196608, cancel: 80877102, ssl: 80877103, gss: 80877104 } as const

const readyForQuery = 0x5a
const largestStartup = 10_000
const largestMessage = 64 * 1024 * 1024

/** Splits a stream of bytes into complete messages, each with its header. */
export class MessageReader {
  /** While this is false, messages are startup messages, which have no type byte. The caller sets it. */
  isStarted = false
  #chunks: Buffer[] = []
  #size = 0
  /** The number of bytes that complete the next message. Saves work when a large message arrives in hundreds of chunks. */
  #wanted = 0

  /**
   * Calls `take` for each message that this chunk completes.
   * @throws RangeError for an impossible length: the client does not use PostgreSQL's protocol.
   */
  read(chunk: Buffer, take: (message: Buffer) => void) {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size < this.#wanted) return

    let rest = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks)
    for (;;) {
      const lengthAt = this.isStarted ? 1 : 0
      this.#wanted = lengthAt + 4
      if (rest.length < this.#wanted) break
      const length = rest.readUInt32BE(lengthAt)
      if (length < 4 || length > (this.isStarted ? largestMessage : largestStartup))
        throw new RangeError(`a message of ${length} bytes`)
      this.#wanted = lengthAt + length
      if (rest.length < this.#wanted) break
      const message = rest.subarray(0, this.#wanted)
      rest = rest.subarray(this.#wanted)
      take(message)
    }
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#size = rest.length
  }
}

/** What a first message asks for. */
export function startupCodeOf(message: Buffer): number {
  return message.length < 8 ? 0 : message.readUInt32BE(4)
}

/** A message: type, length, body. */
export function message(type: number, body: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(body)
  const header = Buffer.alloc(5)
  header[0] = type
  header.writeUInt32BE(bytes.length + 4, 1)
  return Buffer.concat([header, bytes])
}

/** A statement of the simple query protocol. */
export function query(sql: string): Buffer {
  return message(fromClient.query, `${sql}\0`)
}

/** Accepts a connection without a password. */
export function greeting(parameters: Record<string, string>): Buffer {
  return Buffer.concat([
    message(0x52, Buffer.alloc(4)), // AuthenticationOk
    ...Object.entries(parameters).map(([name, value]) => message(0x53, `${name}\0${value}\0`)), // ParameterStatus
    message(0x4b, Buffer.alloc(8)), // BackendKeyData: requests cannot be cancelled, so the key is not used
    message(readyForQuery, 'I'),
  ])
}

/** An error that ends the connection. */
export function fatal(sqlState: string, text: string): Buffer {
  return message(0x45, `SFATAL\0VFATAL\0C${sqlState}\0M${text}\0\0`)
}

/**
 * The last ReadyForQuery in an answer: `I`dle, in a `T`ransaction, in a failed one (`E`). Undefined if there is
 * none, because the client has not sent a Sync yet.
 */
export function readyStatus(answer: Buffer): string | undefined {
  let status: string | undefined
  for (let at = 0; at + 5 <= answer.length; at += 1 + answer.readUInt32BE(at + 1)) {
    if (answer[at] === readyForQuery) status = String.fromCharCode(answer[at + 5] ?? 0)
  }
  return status
}
