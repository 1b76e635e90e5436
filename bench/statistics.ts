/** The middle one of these, or the mean of the two in the middle. @throws when there are none. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]]
  if (low === undefined || high === undefined) throw new Error('There is no median of nothing.')
  return (low + high) / 2
}

/** The value that this share of all values does not exceed. @throws when there are none. */
export function quantile(values: number[], share: number): number {
  const found = [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)]
  if (found === undefined) throw new Error('There is no quantile of nothing.')
  return found
}

/**
 * The highest rate that passes, as far as it can be told: doubles until one fails (or halves, when the first one fails),
 * then halves the distance between the last that passed and the first that failed. A rate fails when two attempts do,
 * because one second of an unlucky machine must not end the search.
 * @param refinements how often it halves.
 * @returns what `attempt` gave for that rate; undefined when even a tenth of the first rate fails.
 */
export async function highest<Result>(
  first: number,
  refinements: number,
  attempt: (rate: number) => Promise<Result | undefined>,
): Promise<Result | undefined> {
  const step = 2
  let [passed, failed] = [0, Infinity]
  let best: Result | undefined
  const take = async (rate: number) => {
    const result = (await attempt(rate)) ?? (await attempt(rate))
    if (result === undefined) failed = rate
    else [passed, best] = [rate, result]
  }
  await take(first)
  while (failed === Infinity) await take(passed * step)
  while (passed === 0 && failed > first / 10) await take(Math.max(failed / step, first / 10))
  for (let i = 0; i < refinements && passed > 0; i += 1) await take((passed + failed) / 2)
  return best
}
