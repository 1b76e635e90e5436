import { describe, expect, it } from 'vitest'
import * as original from 'engine.io-parser'

import * as small from './engine-parser.js'

const packets: small.Packet[] = [
  { type: 'open', data: '{"sid":"x","pingInterval":10000}' },
  { type: 'close' },
  { type: 'ping' },
  { type: 'pong' },
  { type: 'message', data: '2["message:post",{"body":"1,2 – “/admin,”\\n[3]"}]' },
  { type: 'upgrade' },
  { type: 'noop' },
]
const encodedBy = ({ encodePacket }: typeof small, packet: small.Packet) => {
  let encoded = ''
  encodePacket(packet, true, (text) => {
    encoded = text
  })
  return encoded
}
const originally = original as unknown as typeof small

describe('the small parser of Engine.IO', () => {
  it.each(packets)('writes and reads what the original does: %o', (packet) => {
    const text = encodedBy(originally, packet)
    expect(encodedBy(small, packet)).toBe(text)
    expect(small.decodePacket(text)).toEqual(originally.decodePacket(text))
    expect(small.decodePacket(text)).toEqual(packet)
  })

  it('speaks the same version of the protocol', () => {
    expect(small.protocol).toBe(original.protocol)
  })

  it.each(['', ' ', 'x', '7', '-1', 'bAQID', new ArrayBuffer(2), undefined])(
    'takes for an error what is none: %o',
    (text) => {
      expect(small.decodePacket(text)).toEqual({ type: 'error', data: 'parser error' })
    },
  )
})
