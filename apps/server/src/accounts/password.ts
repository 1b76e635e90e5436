import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'
import { createGate, type Waiting } from '../platform/gate.js'
import { isGuessable } from './guessable.js'

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)

// OWASP Password Storage Cheat Sheet, one of its equal choices for scrypt: 16 MiB and about 0.2 s of one core.
const current = { N: 2 ** 14, r: 8, p: 5 }
const keyLength = 32

// Node runs scrypt on the four threads that DNS and files need too: two at a time leave room for them. Addresses take turns:
// somebody who tries passwords by the hundred does not keep others out. The last of 100 waits about 10 s on a slow core.
const gate = createGate(2, { waiting: 100, perKey: 50 })

/**
 * Hashes a password. The parameters travel in the hash: `scrypt$N$r$p$salt$key`, the last two in base64url.
 * @throws as the gate does, when too many wait.
 */
export async function hashPassword(password: string, waiting?: Waiting): Promise<string> {
  const salt = randomBytes(16)
  const key = await gate(() => derive(password.normalize('NFKC'), salt, keyLength, current), waiting)
  return ['scrypt', current.N, current.r, current.p, salt.toString('base64url'), key.toString('base64url')].join('$')
}

/** Does the password belong to the hash? Takes the same time whether or not it does. @throws as the gate does, when too many wait. */
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

/** Was it made with other parameters than today's? Then it is made anew at the next sign-in. */
export function isOutdated(hash: string): boolean {
  return !hash.startsWith(`scrypt$${current.N}$${current.r}$${current.p}$`)
}

/**
 * Why a password will not do, as a sentence, or null when it is fine: 10 to 200 characters, neither the person's name
 * nor address, and not among those that are tried first.
 */
export async function weaknessOf(password: string, about: { name: string; email: string }): Promise<string | null> {
  const characters = [...password]
  if (characters.length < 10) return 'A password needs 10 characters or more.'
  if (characters.length > 200) return 'A password can have at most 200 characters.'
  const lower = password.toLowerCase()
  const personal = [about.name.toLowerCase(), about.email, about.email.split('@')[0] ?? '']
  if (personal.includes(lower)) return 'A password must not be your name or address.'
  if (await isGuessable(password, personal)) return 'This password is among the first that anybody would try.'
  return null
}
