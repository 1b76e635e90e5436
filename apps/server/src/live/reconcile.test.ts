import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../../tools/test/random.js'
import type { Message } from '../contract.js'
import { createHeadWatch } from './reconcile.js'

describe('watching heads', () => {
  const roomId = 'a room'

  /** A room and a reader who sends no requests, so that all the reader knows was delivered. */
  function setting() {
    const announced: { head: number; version: number }[] = []
    const told: number[] = []
    /** Versions of changes, in the order of delivery. */
    const toldOf: number[] = []
    const stored: Message[] = []
    let version = 0
    const watch = createHeadWatch({
      sockets: {
        roomIds: () => [roomId],
        deliver(dispatch) {
          if (dispatch.type === 'room:head')
            announced.push({ head: dispatch.payload.head, version: dispatch.payload.version })
          if (dispatch.type === 'messages:posted') told.push(...dispatch.payload.messages.map(({ seq }) => seq))
          if (dispatch.type === 'message:edited') toldOf.push(dispatch.payload.message.version)
        },
      },
      messages: {
        headsOf: async () => [{ roomId, head: stored.length, version }],
        missing: async (by, [{ after } = { after: 0 }], limit) => {
          const found = stored.filter((message) => message[by] > after).sort((a, b) => a[by] - b[by])
          return new Map([[roomId, found.slice(0, limit)]])
        },
      },
    })
    const arrive = (message: Message) => {
      told.push(message.seq)
      watch.note('seq', roomId, [message.seq])
    }
    const arriveChange = (message: Message) => {
      toldOf.push(message.version)
      watch.note('version', roomId, [message.version])
    }
    const store = () => {
      stored.push({ seq: stored.length + 1, version: 0 } as Message)
      return stored.at(-1)!
    }
    const change = (seq: number) => (stored[seq - 1] = { seq, version: (version += 1) } as Message)
    return { announced, told, toldOf, watch, arrive, arriveChange, store, change, stored, version: () => version }
  }

  it('sends nothing when all news arrives', async () => {
    const { announced, told, watch, store, arrive } = setting()
    await watch.look() // the first look announces the head of the room
    for (let n = 0; n < 20; n += 1) {
      arrive(store())
      await watch.look()
    }
    expect(announced).toEqual([{ head: 0, version: 0 }])
    expect(told).toHaveLength(20)
  })

  it('waits for late news until the next look', async () => {
    const { announced, told, watch, store, arrive } = setting()
    await watch.look()
    const seq = store()
    await watch.look()
    arrive(seq)
    await watch.look()
    await watch.look()
    expect([announced.length, told]).toEqual([1, [1]])
  })

  it('sends a lost message once, at the second look', async () => {
    const { announced, told, watch, store } = setting()
    await watch.look()
    store()
    await watch.look()
    await watch.look()
    await watch.look()
    expect([announced.map(({ head }) => head), told]).toEqual([[0, 1], [1]])
  })

  it('sends lost messages when a later message has arrived', async () => {
    const { told, watch, store, arrive } = setting()
    await watch.look()
    store()
    store()
    arrive(store())
    await watch.look()
    await watch.look()
    await watch.look()
    expect(told).toEqual([3, 1, 2])
  })

  it('does not send more than a page, but announces the head, so that clients load the rest', async () => {
    const { announced, told, watch, store } = setting()
    await watch.look()
    for (let n = 0; n < 101; n += 1) store()
    await watch.look()
    await watch.look()
    expect([announced.map(({ head }) => head), told]).toEqual([[0, 101], []])
  })

  it('sends a lost change once, with the current form of the message', async () => {
    const { announced, toldOf, watch, store, arrive, change } = setting()
    arrive(store())
    await watch.look()
    change(1)
    change(1)
    await watch.look()
    await watch.look()
    await watch.look()
    expect([announced.map(({ version }) => version), toldOf]).toEqual([[0, 2], [2]])
  })

  it('delivers all lost and late news once, in a thousand random orders', async () => {
    for (let seed = 1; seed <= 1000; seed += 1) {
      const chance = createRandom(seed)
      const { told, toldOf, watch, store, stored, change, arrive, arriveChange, version } = setting()
      const late: (() => void)[] = []
      const gone = { seqs: new Set<number>(), versions: new Set<number>() }
      const meet = (arrives: () => void, isGone: () => unknown) => {
        const fate = chance()
        if (fate < 0.5) arrives()
        else if (fate < 0.75) late.push(arrives)
        else isGone()
      }
      await watch.look()
      for (let step = 0; step < 60; step += 1) {
        const dice = chance()
        if (dice < 0.3) {
          const message = store()
          meet(
            () => arrive(message),
            () => gone.seqs.add(message.seq),
          )
        } else if (dice < 0.5 && stored.length > 0) {
          const message = change(1 + Math.floor(chance() * stored.length))
          meet(
            () => arriveChange(message),
            () => gone.versions.add(message.version),
          )
        } else if (dice < 0.65 && late.length > 0) late.splice(Math.floor(chance() * late.length), 1)[0]?.()
        else await watch.look()
      }
      await watch.look()
      await watch.look()
      expect({ seed, known: new Set(told).size }).toEqual({ seed, known: stored.length })
      // When a message has several changes, the last one is enough.
      const untold = stored.filter((message) => message.version > 0 && !toldOf.includes(message.version))
      expect({ seed, version: version(), untold }).toEqual({ seed, version: version(), untold: [] })
      // Only late news may arrive twice, after the watch has sent it. Clients ignore numbers that they have.
      const twice = (all: number[], gone: Set<number>) =>
        [...gone].filter((number) => all.filter((each) => each === number).length > 1)
      expect({ seed, twice: [...twice(told, gone.seqs), ...twice(toldOf, gone.versions)] }).toEqual({ seed, twice: [] })
    }
  })
})
