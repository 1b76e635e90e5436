import { randomUUID } from 'node:crypto'
import type { Db } from '../platform/db.js'
import { ChatError } from '../platform/errors.js'
import type { Log } from '../platform/log.js'
import { encodeAvatar } from './picture.js'
import type { Storage } from '../storage/storage.js'

export type Avatars = ReturnType<typeof createAvatars>

interface AvatarsOptions {
  db: Db
  storage: Storage
  log: Log
}

/** Pictures of people. Each has a key of its own that nobody can guess and that is never used again. */
export function createAvatars({ db, storage, log }: AvatarsOptions) {
  /** A picture nobody points at costs a little room, so failing to remove it is nobody's failure. */
  async function forget(key: string): Promise<void> {
    await storage.remove(key).catch((error: unknown) => log.warn({ err: error, key }, 'a picture could not be removed'))
  }

  return {
    /**
     * Gives an account a new picture; the old one is removed.
     * @param signal aborts when nobody waits for it any more.
     * @throws ChatError `unsupported_media`, `too_large`, `not_found` for no such account, `unavailable` when it cannot be stored.
     */
    async set(accountId: string, body: Buffer, signal?: AbortSignal): Promise<void> {
      const picture = await encodeAvatar(body, signal)
      const key = `${randomUUID()}.webp`
      await storage.put(key, picture, 'image/webp').catch((error: unknown) => {
        log.error({ err: error }, 'a picture could not be stored')
        throw new ChatError('unavailable', 'Pictures cannot be stored right now. Please try again.')
      })
      try {
        const previous = await replaceKey(db, accountId, key)
        if (previous !== null) await forget(previous)
      } catch (error) {
        await forget(key)
        throw error
      }
    },

    /** The picture under a key, or null when there is none. */
    async open(key: string): Promise<Buffer | null> {
      return /^[a-z0-9-]{1,100}\.webp$/.test(key) ? storage.get(key) : null
    },
  }
}

/** Returns the key there was before. */
async function replaceKey(db: Db, accountId: string, key: string): Promise<string | null> {
  // The lock makes two uploads at once see each other: no picture is left behind without an owner.
  const [replaced] = await db.query<{ previous: string | null }>(
    `with before as (select id, avatar_key from accounts where id = $1 for update)
     update accounts set avatar_key = $2
       from before
      where accounts.id = before.id
      returning before.avatar_key as previous`,
    [accountId, key],
  )
  if (replaced === undefined) throw new ChatError('not_found', 'No such account.')
  return replaced.previous
}
