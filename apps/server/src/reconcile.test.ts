import { describe, expect, it } from 'vitest'
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

  function setting() {
    const announced: number[] = []
    let head = 0
    const watch = createHeadWatch({
      sockets: { roomIds: () => [room], deliver: (dispatch) => 'event' in dispatch && dispatch.event === 'room:head' && announced.push(dispatch.news.head) },
      messages: { headsOf: async () => [{ roomId: room, head }] },
    })
    return { announced, watch, store: () => (head += 1), head: () => head }
  }

  it('announces nothing when all news arrives', async () => {
    const { announced, watch, store } = setting()
    await watch.look() // the first look into a room announces where it stands
    for (let n = 0; n < 20; n += 1) {
      watch.note(room, store())
      await watch.look()
    }
    expect(announced).toEqual([0])
  })

  it('gives news that is on its way until the next look', async () => {
    const { announced, watch, store } = setting()
    await watch.look()
    const seq = store()
    await watch.look()
    watch.note(room, seq)
    await watch.look()
    await watch.look()
    expect(announced).toEqual([0])
  })

  it('announces a lost message at the second look, and once', async () => {
    const { announced, watch, store } = setting()
    await watch.look()
    store()
    await watch.look()
    await watch.look()
    await watch.look()
    expect(announced).toEqual([0, 1])
  })

  it('lets nobody stay behind, whatever is lost or late, in a thousand random orders', async () => {
    for (let seed = 1; seed <= 1000; seed += 1) {
      const chance = random(seed)
      const { announced, watch, store, head } = setting()
      let heard = 0
      const late: number[] = []
      for (let step = 0; step < 40; step += 1) {
        const dice = chance()
        if (dice < 0.4) {
          const seq = store()
          const fate = chance()
          if (fate < 0.5) watch.note(room, (heard = Math.max(heard, seq)))
          else if (fate < 0.75) late.push(seq)
        } else if (dice < 0.6 && late.length > 0) {
          const seq = late.splice(Math.floor(chance() * late.length), 1)[0] ?? 0
          watch.note(room, seq)
          heard = Math.max(heard, seq)
        } else await watch.look()
      }
      await watch.look()
      await watch.look()
      expect({ seed, known: Math.max(heard, ...announced) }).toEqual({ seed, known: head() })
    }
  })
})
