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

/** Avatars of accounts. Each has a random key, which cannot be guessed and is never used again. */
export function createAvatars({ db, storage, log }: AvatarsOptions) {
  /** An unused picture only wastes space, so a failed removal is logged and not thrown. */
  async function forget(key: string): Promise<void> {
    await storage.remove(key).catch((error: unknown) => log.warn({ err: error, key }, 'a picture could not be removed'))
  }

  return {
    /**
     * Gives an account a new avatar and removes the old one.
     * @param body a JPEG, PNG or WebP picture.
     * @param signal aborts when the client has gone.
     * @throws ChatError as `encodeAvatar` does, `no_such_account`, `storage_down` when the avatar cannot be stored.
     */
    async set(accountId: string, body: Buffer, signal?: AbortSignal): Promise<void> {
      const picture = await encodeAvatar(body, signal)
      const key = `${randomUUID()}.webp`
      await storage.put(key, picture, 'image/webp').catch((error: unknown) => {
        log.error({ err: error }, 'a picture could not be stored')
        throw new ChatError('storage_down', 'Pictures cannot be stored right now. Please try again.')
      })
      try {
        const previous = await replaceKey(db, accountId, key)
        if (previous !== null) await forget(previous)
      } catch (error) {
        await forget(key)
        throw error
      }
    },

    /** The avatar with this key as WebP, or null when there is none. */
    async open(key: string): Promise<Buffer | null> {
      return /^[a-z0-9-]{1,100}\.webp$/.test(key) ? storage.get(key) : null
    },
  }
}

/** Returns the previous key. */
async function replaceKey(db: Db, accountId: string, key: string): Promise<string | null> {
  // Because of the lock, the second of two simultaneous uploads gets the key of the first one and removes its picture.
  const [replaced] = await db.query<{ previous: string | null }>(
    `with before as (select id, avatar_key from accounts where id = $1 for update)
     update accounts set avatar_key = $2
       from before
      where accounts.id = before.id
      returning before.avatar_key as previous`,
    [accountId, key],
  )
  if (replaced === undefined) throw new ChatError('no_such_account', 'No such account.')
  return replaced.previous
}
