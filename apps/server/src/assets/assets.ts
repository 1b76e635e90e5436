import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Storage } from '../storage/storage.js'

/**
 * During a rollout, pages of two releases are open, and an open page may load assets even later. Each nginx has only the
 * assets of its own release, so each release copies its assets to storage, where the others find them.
 */
export interface Assets {
  /** Stores the assets of this release that are not in storage yet. Does nothing after it has succeeded once. */
  publish(): Promise<void>
  /** An asset of any release, or null. */
  find(name: string): Promise<{ content: Buffer; contentType: string } | null>
}

const contentTypes: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** A file name with a content hash, so its content never changes. It is short enough for every storage. */
const hashed = /^[\w-]{1,100}\.[0-9a-f]{20}\.(css|js|svg)$/

/** @param directory the folder with the assets of this release, as webpack built them. */
export function createAssets({ storage, directory }: { storage: Storage; directory: string }): Assets {
  const contentTypeOf = (name: string) => contentTypes[extname(name)] ?? 'application/octet-stream'
  let isPublished = false
  return {
    async publish() {
      if (isPublished) return
      for (const name of (await readdir(directory)).filter((file) => hashed.test(file))) {
        if ((await storage.get(name)) === null)
          await storage.put(name, await readFile(join(directory, name)), contentTypeOf(name))
      }
      isPublished = true
    },

    async find(name) {
      // Avatars are in the same storage and must not be served here.
      const content = hashed.test(name) ? await storage.get(name) : null
      return content && { content, contentType: contentTypeOf(name) }
    },
  }
}
