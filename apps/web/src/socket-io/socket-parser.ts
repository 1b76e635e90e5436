/**
 * The packets of Socket.IO as far as this chat needs them: JSON in the main namespace, nothing binary. Takes the place
 * of `socket.io-parser` in the bundle, see webpack.config.ts, at a tenth of its size.
 */
export enum PacketType {
  CONNECT,
  DISCONNECT,
  EVENT,
  ACK,
  CONNECT_ERROR,
  BINARY_EVENT,
  BINARY_ACK,
}

export interface Packet {
  type: PacketType
  nsp: string
  id?: number | undefined
  data?: unknown
}

export class Encoder {
  encode({ type, id, data }: Packet): string[] {
    return [`${type}${id ?? ''}${data === undefined ? '' : JSON.stringify(data)}`]
  }
}

// The type, a namespace if there is one, the number that an acknowledgement refers to, and JSON.
const shape = /^([0-4])(?:\/[^,]*,)?(\d*)(.*)$/s

export class Decoder {
  private listener: ((packet: Packet) => void) | undefined

  on(_event: 'decoded', listener: (packet: Packet) => void): void {
    this.listener = listener
  }

  off(): void {
    this.listener = undefined
  }

  /** @throws for anything that is not a packet of this kind; the client then closes the connection. */
  add(text: unknown): void {
    const parts = typeof text === 'string' && shape.exec(text)
    if (!parts) throw new Error('Not a packet')
    const [, type, id, data] = parts
    this.listener?.({
      type: Number(type),
      nsp: '/',
      id: id ? Number(id) : undefined,
      data: data ? (JSON.parse(data) as unknown) : undefined,
    })
  }

  // Called by the client; there is never half a packet to drop.
  destroy(): void {}
}
