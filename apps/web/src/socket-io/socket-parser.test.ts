import { describe, expect, it } from 'vitest'
import * as original from 'socket.io-parser'

import { Decoder, Encoder, PacketType, type Packet } from './socket-parser.js'

const decodedBy = (decoder: Decoder | original.Decoder, texts: string[]) => {
  const packets: Packet[] = []
  ;(decoder as Decoder).on('decoded', (packet) => packets.push(packet))
  for (const text of texts) decoder.add(text)
  return packets
}

const packets: Packet[] = [
  { type: PacketType.CONNECT, nsp: '/' },
  { type: PacketType.CONNECT, nsp: '/', data: { sid: 'x' } },
  { type: PacketType.DISCONNECT, nsp: '/' },
  { type: PacketType.EVENT, nsp: '/', data: ['typing:start', { roomId: 'r' }] },
  { type: PacketType.EVENT, nsp: '/', id: 12, data: ['message:post', { body: '1,2 – “/admin,”\n[3]' }] },
  { type: PacketType.ACK, nsp: '/', id: 0, data: [{ data: { seq: 7 } }] },
  { type: PacketType.CONNECT_ERROR, nsp: '/', data: { message: 'unauthenticated' } },
]

describe('the small parser', () => {
  it.each(packets)('writes what the original reads: %o', (packet) => {
    expect(decodedBy(new original.Decoder(), new Encoder().encode(packet))).toEqual([packet])
  })

  it.each(packets)('reads what the original writes: %o', (packet) => {
    const texts = new original.Encoder().encode(packet) as string[]
    expect(decodedBy(new Decoder(), texts)).toEqual([packet])
  })

  it('numbers the packets as the original does', () => {
    for (const type of [0, 1, 2, 3, 4, 5, 6]) expect(PacketType[type]).toBe(original.PacketType[type])
  })

  it.each(['', 'x', '7', '51-["bytes",{}]', new ArrayBuffer(2)])('refuses what is none: %o', (text) => {
    expect(() => new Decoder().add(text)).toThrow()
  })
})
