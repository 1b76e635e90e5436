import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'
import { limits } from '../contract.js'
import { ChatError } from '../platform/errors.js'
import { createGate, type Waiting } from '../platform/gate.js'
import { isGuessable } from './guessable.js'

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)

// One of the equivalent choices for scrypt in the OWASP Password Storage Cheat Sheet: 16 MiB and about 0.2 s of one core.
const current = { N: 2 ** 14, r: 8, p: 5 }
const keyLength = 32

// Node runs scrypt on the same four threads as DNS and file access, so only two hashes run at a time. Clients take turns by
// IP address, so one that tries hundreds of passwords does not block the others. The last of 100 waits about 10 s on a slow core.
const gate = createGate(2, { waiting: 100, perKey: 50 })

/**
 * Hashes a password. The hash contains its parameters: `scrypt$N$r$p$salt$key`, the salt and the key in base64url.
 * @throws as the gate does, when too many tasks wait or the client has gone.
 */
export async function hashPassword(password: string, waiting?: Waiting): Promise<string> {
  const salt = randomBytes(16)
  const key = await gate(() => derive(password.normalize('NFKC'), salt, keyLength, current), waiting)
  return ['scrypt', current.N, current.r, current.p, salt.toString('base64url'), key.toString('base64url')].join('$')
}

/** Does the password belong to the hash? A wrong password takes as long as the right one. @throws as `hashPassword` does. */
export async function verifyPassword(password: string, hash: string, waiting?: Waiting): Promise<boolean> {
  const [, N, r, p, salt = '', key = ''] = hash.split('$')
  const expected = Buffer.from(key, 'base64url')
  const options = { N: Number(N), r: Number(r), p: Number(p) }
  const actual = await gate(
    () => derive(password.normalize('NFKC'), Buffer.from(salt, 'base64url'), expected.length, options),
    waiting,
  )
  return timingSafeEqual(actual, expected)
}

/** Was the hash made with other parameters than today's? Then the next sign-in replaces it. */
export function isOutdated(hash: string): boolean {
  return !hash.startsWith(`scrypt$${current.N}$${current.r}$${current.p}$`)
}

/**
 * Refuses a weak password. It must be as long as `limits.password` says, must not be the person's name or email address,
 * and must not be easy to guess.
 * @throws ChatError `too_short`, `too_long`, `password_is_personal`, `password_is_guessable`.
 */
export async function refuseWeak(password: string, about: { name: string; email: string }): Promise<void> {
  const field = 'password'
  const { length } = [...password]
  const { min, max } = limits.password
  if (length < min) throw new ChatError('too_short', `A password needs ${min} characters or more.`, { field })
  if (length > max) throw new ChatError('too_long', `A password can have at most ${max} characters.`, { field })
  const personal = [about.name.toLowerCase(), about.email, about.email.split('@')[0] ?? '']
  if (personal.includes(password.toLowerCase()))
    throw new ChatError('password_is_personal', 'A password must not be your name or email.', { field })
  if (await isGuessable(password, personal))
    throw new ChatError('password_is_guessable', 'This password is among the first that anybody would try.', { field })
}
