import type { ZxcvbnFactory } from '@zxcvbn-ts/core'

/** A password must withstand this many guesses. At 100 guesses in 15 minutes (LIMIT_GUESS) they take 28 years. */
const minGuesses = 1e8
/** The estimate takes longer for a longer password, so only this many characters are estimated. */
const maxEstimated = 32

let loading: Promise<ZxcvbnFactory> | undefined

/**
 * Can an attacker who knows common passwords and the `personal` words guess this password soon? Capital letters, digits
 * at the end, `@` for `a`, neighbouring keys, repetitions and years do not help, because attackers try them too.
 */
export async function isGuessable(password: string, personal: string[]): Promise<boolean> {
  const estimator = await (loading ??= load())
  const words = personal.flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)]).filter((word) => word.length > 2)
  return estimator.check([...password].slice(0, maxEstimated).join(''), words).guesses < minGuesses
}

/** Loads 50,000 common passwords into memory, when the first person signs up. */
async function load(): Promise<ZxcvbnFactory> {
  const [core, common] = await Promise.all([import('@zxcvbn-ts/core'), import('@zxcvbn-ts/language-common')])
  return new core.ZxcvbnFactory({ dictionary: common.dictionary, graphs: common.adjacencyGraphs })
}
