import type { ZxcvbnFactory } from '@zxcvbn-ts/core'

/** So many guesses must not find it: at 100 in a quarter of an hour (LIMIT_GUESS) they take 28 years. */
const tooFew = 1e8
/** Looking takes the longer the longer the password, and so many characters are enough to tell. */
const looked = 32

let loading: Promise<ZxcvbnFactory> | undefined

/**
 * Would somebody who knows the well-known passwords, and the person, soon try it? Capitals, digits behind, `@` for `a`,
 * neighbouring keys, repetitions and years are what is tried next, so they do not help.
 */
export async function isGuessable(password: string, personal: string[]): Promise<boolean> {
  const estimator = await (loading ??= load())
  const words = personal.flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)]).filter((word) => word.length > 2)
  return estimator.check([...password].slice(0, looked).join(''), words).guesses < tooFew
}

/** 50,000 passwords, in memory once somebody signs up. */
async function load(): Promise<ZxcvbnFactory> {
  const [core, common] = await Promise.all([import('@zxcvbn-ts/core'), import('@zxcvbn-ts/language-common')])
  return new core.ZxcvbnFactory({ dictionary: common.dictionary, graphs: common.adjacencyGraphs })
}
