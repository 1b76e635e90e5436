import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createTyping } from './typing.js'

describe('a person who types', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 })
    return () => vi.useRealTimers()
  })
  const start = () => {
    const told: string[] = []
    return { told, typing: createTyping({ tell: (_event, { roomId }) => void told.push(roomId) }) }
  }

  it('tells it once in a while', () => {
    const { told, typing } = start()
    for (let i = 0; i < 50; i += 1) {
      typing.tell('attic')
      vi.advanceTimersByTime(100)
    }
    expect(told).toEqual(['attic', 'attic'])
  })

  it('tells it at once with the first key after a message, for the receivers have stopped showing it', () => {
    const { told, typing } = start()
    typing.tell('attic')
    typing.sent()
    typing.tell('attic')
    expect(told).toEqual(['attic', 'attic'])
  })

  it('tells it at once in another room', () => {
    const { told, typing } = start()
    typing.tell('attic')
    typing.tell('cellar')
    expect(told).toEqual(['attic', 'cellar'])
  })
})
