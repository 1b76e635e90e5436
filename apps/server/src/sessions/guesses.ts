import type { Request } from 'express'
import type { Accounts } from '../accounts/accounts.js'
import type { Config } from '../config.js'
import { ChatError } from '../platform/errors.js'
import type { Log } from '../platform/log.js'
import { createCounter, createLimiter, visitorAt, type Limiter } from '../platform/limiter.js'
import type { Redis } from '../platform/redis.js'

/** How long a place is remembered from which an account has signed in. A timer cannot wait much longer. */
const rememberedSeconds = 24 * 24 * 3600

export type Guesses = ReturnType<typeof createGuesses>

interface Guess {
  limiter: Limiter
  keys: string[]
  /** Where the guess comes from. Each place is logged once per period. */
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
 * Slows down the guessing of passwords with three limits: per IP address and account, per IP address over all accounts,
 * and per account over all IP addresses. The third limit does not apply to an IP address from which the account has signed
 * in before, so an attacker with many IP addresses cannot lock the owner out at home. The last two limits count only wrong
 * passwords, so many people behind one IP address do not reach them.
 */
export function createGuesses({ limits, redis, accounts, log }: GuessesOptions) {
  const attempts = createLimiter('sign-in', limits.signIn, redis, log)
  const wrong = createLimiter('guess', limits.guess, redis, log)
  const wrongAtChange = createLimiter('change', limits.signIn, redis, log)
  const lines = createCounter('line', limits.signIn, redis)
  const places = createCounter('place', { points: 1, seconds: rememberedSeconds }, redis)

  const placeOf = ({ ip }: Request, email: string) => `${visitorAt(ip)} ${email}`

  /** Runs `work` and counts an attempt for each key. Takes the attempts back unless the password was wrong. */
  async function whileRight<Result>(
    { limiter, keys, place, reqId, whose }: Guess,
    work: () => Promise<Result>,
  ): Promise<Result> {
    let isWrong = false
    for (const key of keys) await limiter.take(key, { reqId })
    try {
      return await work()
    } catch (error) {
      isWrong = error instanceof ChatError && ['wrong_password', 'wrong_current_password'].includes(error.reason)
      // One line per place and period, so that guesses cannot fill the log.
      if (isWrong && (await lines.penalty(place)).consumedPoints === 1)
        log.warn({ reqId, accountId: await whose() }, 'wrong password')
      throw error
    } finally {
      if (!isWrong) for (const key of keys) await limiter.giveBack(key)
    }
  }

  return {
    /** Runs `verify`, which checks the password of an account. @throws ChatError `too_many_attempts`, or as `verify` does. */
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

    /** The same for the current password when it is changed, per session. The owner can sign in again and change it there. */
    atChange<Result>({ id: reqId, session }: Request, verify: () => Promise<Result>): Promise<Result> {
      const whose = async () => session.accountId
      return whileRight({ limiter: wrongAtChange, keys: [session.id], place: session.id, reqId, whose }, verify)
    },

    /** Remembers that the account has signed in from this IP address. */
    async rememberPlace(req: Request, email: string): Promise<void> {
      await places.set(placeOf(req, email), 1, rememberedSeconds)
    },
  }
}
