import type { Request } from 'express'
import type { Config } from '../config.js'
import { ChatError } from '../platform/errors.js'
import { createCounter, createLimiter, visitorAt, type Limiter } from '../platform/limiter.js'
import type { Redis } from '../platform/redis.js'

/** For so long a place is remembered where somebody has signed in: the longest that a timer can wait. */
const rememberedSeconds = 24 * 24 * 3600

export type Guesses = ReturnType<typeof createGuesses>

/**
 * Makes guessing a password slow: for an address and an account together, for an address over all accounts, and for an
 * account over all addresses. The last does not count where the account was signed in to before: whoever guesses from
 * many addresses must not shut the owner out at home. The last two count wrong passwords only, so a crowd behind one
 * address is not held up.
 */
export function createGuesses({ limits, redis }: { limits: Config['limits']; redis: Redis | null }) {
  const attempts = createLimiter('sign-in', limits.signIn, redis)
  const wrong = createLimiter('guess', limits.guess, redis)
  const wrongAtChange = createLimiter('change', limits.signIn, redis)
  const places = createCounter('place', { points: 1, seconds: rememberedSeconds }, redis)

  const placeOf = ({ ip }: Request, email: string) => `${visitorAt(ip)} ${email}`

  return {
    /** Lets `verify` look at a password for an account. @throws ChatError `rate_limited`, and what `verify` throws. */
    async atSignIn<Result>(req: Request, email: string, verify: () => Promise<Result>): Promise<Result> {
      const place = placeOf(req, email)
      const isKnown = (await places.get(place)) !== null
      return whileRight(wrong, isKnown ? [visitorAt(req.ip)] : [visitorAt(req.ip), email], async () => {
        await attempts.take(place)
        return verify()
      })
    },

    /** The same for the current password at a change, by session: the owner can sign in anew and put an end to it. */
    atChange: <Result>({ session }: Request, verify: () => Promise<Result>): Promise<Result> => whileRight(wrongAtChange, [session.id], verify),

    /** From here the account is its owner's. */
    async rememberPlace(req: Request, email: string): Promise<void> {
      await places.set(placeOf(req, email), 1, rememberedSeconds)
    },
  }
}

/** Runs `work`, which costs an attempt of each key for good when the password was wrong. */
async function whileRight<Result>(limiter: Limiter, keys: string[], work: () => Promise<Result>): Promise<Result> {
  for (const key of keys) await limiter.take(key)
  let isWrong = false
  try {
    return await work()
  } catch (error) {
    isWrong = error instanceof ChatError && ['unauthenticated', 'forbidden'].includes(error.code)
    throw error
  } finally {
    if (!isWrong) for (const key of keys) await limiter.giveBack(key)
  }
}
