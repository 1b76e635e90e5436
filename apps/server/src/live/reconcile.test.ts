import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../../tools/test/random.js'
import type { Message } from '../contract.js'
import { createHeadWatch } from './reconcile.js'

describe('watching heads', () => {
  const roomId = 'a room'

  /** A room, and somebody in it who can ask for nothing: what they know is what they have been told. */
  function setting() {
    const announced: { head: number; version: number }[] = []
    const told: number[] = []
    /** Versions of changes, in the order they were told. */
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

  it('says nothing when all news arrives', async () => {
    const { announced, told, watch, store, arrive } = setting()
    await watch.look() // the first look into a room announces where it stands
    for (let n = 0; n < 20; n += 1) {
      arrive(store())
      await watch.look()
    }
    expect(announced).toEqual([{ head: 0, version: 0 }])
    expect(told).toHaveLength(20)
  })

  it('gives news that is on its way until the next look', async () => {
    const { announced, told, watch, store, arrive } = setting()
    await watch.look()
    const seq = store()
    await watch.look()
    arrive(seq)
    await watch.look()
    await watch.look()
    expect([announced.length, told]).toEqual([1, [1]])
  })

  it('sends a lost message at the second look, and once', async () => {
    const { announced, told, watch, store } = setting()
    await watch.look()
    store()
    await watch.look()
    await watch.look()
    await watch.look()
    expect([announced.map(({ head }) => head), told]).toEqual([[0, 1], [1]])
  })

  it('sends what was lost behind a later message that arrived', async () => {
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

  it('leaves more than a page to the clients, who are told how far the room has come', async () => {
    const { announced, told, watch, store } = setting()
    await watch.look()
    for (let n = 0; n < 101; n += 1) store()
    await watch.look()
    await watch.look()
    expect([announced.map(({ head }) => head), told]).toEqual([[0, 101], []])
  })

  it('sends a change that was lost, as the message is now, and once', async () => {
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

  it('lets nobody stay behind, and tells nobody twice, whatever is lost or late, in a thousand random orders', async () => {
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
      // Of several changes of one message the last is enough.
      const untold = stored.filter((message) => message.version > 0 && !toldOf.includes(message.version))
      expect({ seed, version: version(), untold }).toEqual({ seed, version: version(), untold: [] })
      // Only what came late after it was sent may come twice; clients know the numbers they have.
      const twice = (all: number[], gone: Set<number>) =>
        [...gone].filter((number) => all.filter((each) => each === number).length > 1)
      expect({ seed, twice: [...twice(told, gone.seqs), ...twice(toldOf, gone.versions)] }).toEqual({ seed, twice: [] })
    }
  })
})
