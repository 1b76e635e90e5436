/** Numbers from 0 up to, but not including, 1. The same seed gives the same numbers, so a failing test can be repeated. */
export function createRandom(seed: number): () => number {
  // The generator mulberry32.
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
