/**
 * The packets of Engine.IO, which carry those of Socket.IO, as far as this chat needs them: text over a WebSocket, never
 * binary. Takes the place of `engine.io-parser` in the bundle, see webpack.config.ts.
 */
export interface Packet {
  type: string
  data?: string | undefined
}

// The number of a type is its place.
const types = ['open', 'close', 'ping', 'pong', 'message', 'upgrade', 'noop']

export const protocol = 4

export function encodePacket({ type, data }: Packet, _supportsBinary: boolean, send: (text: string) => void): void {
  send(`${types.indexOf(type)}${data ?? ''}`)
}

/** What is no packet of this kind comes out as an `error`: the client then closes the connection. */
export function decodePacket(text: unknown): Packet {
  const type = typeof text === 'string' ? types[text.charCodeAt(0) - 48] : undefined
  return type ? { type, data: (text as string).slice(1) || undefined } : { type: 'error', data: 'parser error' }
}
