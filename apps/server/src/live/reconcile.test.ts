import { describe, expect, it } from 'vitest'
import type { Message } from '../contract.js'
import { createHeadWatch } from './reconcile.js'

/** Small, seeded and good enough to shuffle with (mulberry32). */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

describe('watching heads', () => {
  const room = 'a room'

  /** A room, and somebody in it who can ask for nothing: what they know is what they have been told. */
  function setting() {
    const announced: number[] = []
    const told: number[] = []
    let head = 0
    const message = (seq: number) => ({ seq }) as Message
    const watch = createHeadWatch({
      sockets: {
        roomIds: () => [room],
        deliver(dispatch) {
          if (dispatch.type === 'room:head') announced.push(dispatch.payload.head)
          if (dispatch.type === 'messages:posted') told.push(...dispatch.payload.messages.map(({ seq }) => seq))
        },
      },
      messages: {
        headsOf: async () => [{ roomId: room, head }],
        missing: async ([{ after } = { after: 0 }], limit) =>
          new Map([[room, Array.from({ length: Math.min(limit, head - after) }, (_, n) => message(after + 1 + n))]]),
      },
    })
    const arrive = (seq: number) => {
      told.push(seq)
      watch.note(room, seq)
    }
    return { announced, told, watch, arrive, store: () => (head += 1), head: () => head }
  }

  it('says nothing when all news arrives', async () => {
    const { announced, told, watch, store, arrive } = setting()
    await watch.look() // the first look into a room announces where it stands
    for (let n = 0; n < 20; n += 1) {
      arrive(store())
      await watch.look()
    }
    expect(announced).toEqual([0])
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
    expect([announced, told]).toEqual([[0], [1]])
  })

  it('sends a lost message at the second look, and once', async () => {
    const { announced, told, watch, store } = setting()
    await watch.look()
    store()
    await watch.look()
    await watch.look()
    await watch.look()
    expect([announced, told]).toEqual([[0, 1], [1]])
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
    expect([announced, told]).toEqual([[0, 101], []])
  })

  it('lets nobody stay behind, and tells nobody twice, whatever is lost or late, in a thousand random orders', async () => {
    for (let seed = 1; seed <= 1000; seed += 1) {
      const chance = random(seed)
      const { told, watch, store, head, arrive } = setting()
      const late: number[] = []
      const gone = new Set<number>()
      await watch.look()
      for (let step = 0; step < 40; step += 1) {
        const dice = chance()
        if (dice < 0.4) {
          const seq = store()
          const fate = chance()
          if (fate < 0.5) arrive(seq)
          else if (fate < 0.75) late.push(seq)
          else gone.add(seq)
        } else if (dice < 0.6 && late.length > 0) {
          const seq = late.splice(Math.floor(chance() * late.length), 1)[0] ?? 0
          arrive(seq)
        } else await watch.look()
      }
      await watch.look()
      await watch.look()
      expect({ seed, known: new Set(told).size }).toEqual({ seed, known: head() })
      // Only what came late after it was sent may come twice; clients know the numbers they have.
      expect({ seed, twice: [...gone].filter((seq) => told.filter((each) => each === seq).length > 1) }).toEqual({
        seed,
        twice: [],
      })
    }
  })
})
