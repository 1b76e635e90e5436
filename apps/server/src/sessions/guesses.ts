import type { Request } from 'express'
import type { Accounts } from '../accounts/accounts.js'
import type { Config } from '../config.js'
import { ChatError } from '../platform/errors.js'
import type { Log } from '../platform/log.js'
import { createCounter, createLimiter, visitorAt, type Limiter } from '../platform/limiter.js'
import type { Redis } from '../platform/redis.js'

/** For so long a place is remembered where somebody has signed in: the longest that a timer can wait. */
const rememberedSeconds = 24 * 24 * 3600

export type Guesses = ReturnType<typeof createGuesses>

interface Guess {
  limiter: Limiter
  keys: string[]
  /** From where it is made: each leaves one line. */
  place: string
  reqId: unknown
  whose: () => Promise<string | undefined>
}

interface GuessesOptions {
  limits: Config['limits']
  redis: Redis | null
  accounts: Pick<Accounts, 'findByEmail'>
  log: Log
}

/**
 * Makes guessing a password slow: for an address and an account together, for an address over all accounts, and for an
 * account over all addresses. The last does not count where the account was signed in to before: whoever guesses from
 * many addresses must not shut the owner out at home. The last two count wrong passwords only, so a crowd behind one
 * address is not held up.
 */
export function createGuesses({ limits, redis, accounts, log }: GuessesOptions) {
  const attempts = createLimiter('sign-in', limits.signIn, redis, log)
  const wrong = createLimiter('guess', limits.guess, redis, log)
  const wrongAtChange = createLimiter('change', limits.signIn, redis, log)
  const lines = createCounter('line', limits.signIn, redis)
  const places = createCounter('place', { points: 1, seconds: rememberedSeconds }, redis)

  const placeOf = ({ ip }: Request, email: string) => `${visitorAt(ip)} ${email}`

  /** Runs `work`, which costs an attempt of each key for good when the password was wrong. */
  async function whileRight<Result>(
    { limiter, keys, place, reqId, whose }: Guess,
    work: () => Promise<Result>,
  ): Promise<Result> {
    let isWrong = false
    for (const key of keys) await limiter.take(key, { reqId })
    try {
      return await work()
    } catch (error) {
      isWrong = error instanceof ChatError && ['unauthenticated', 'forbidden'].includes(error.code)
      // One line for each place and stretch of time: nobody fills the log by guessing.
      if (isWrong && (await lines.penalty(place)).consumedPoints === 1)
        log.warn({ reqId, accountId: await whose() }, 'wrong password')
      throw error
    } finally {
      if (!isWrong) for (const key of keys) await limiter.giveBack(key)
    }
  }

  return {
    /** Lets `verify` look at a password for an account. @throws ChatError `rate_limited`, and what `verify` throws. */
    async atSignIn<Result>(req: Request, email: string, verify: () => Promise<Result>): Promise<Result> {
      const place = placeOf(req, email)
      const isKnown = (await places.get(place)) !== null
      const keys = isKnown ? [visitorAt(req.ip)] : [visitorAt(req.ip), email]
      const whose = () =>
        accounts.findByEmail(email).then(
          ({ id }) => id,
          () => undefined,
        )
      return whileRight({ limiter: wrong, keys, place, reqId: req.id, whose }, async () => {
        await attempts.take(place, { reqId: req.id })
        return verify()
      })
    },

    /** The same for the current password at a change, by session: the owner can sign in anew and put an end to it. */
    atChange<Result>({ id: reqId, session }: Request, verify: () => Promise<Result>): Promise<Result> {
      const whose = async () => session.accountId
      return whileRight({ limiter: wrongAtChange, keys: [session.id], place: session.id, reqId, whose }, verify)
    },

    /** From here the account is its owner's. */
    async rememberPlace(req: Request, email: string): Promise<void> {
      await places.set(placeOf(req, email), 1, rememberedSeconds)
    },
  }
}
