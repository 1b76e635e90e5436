import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Storage } from '../storage/storage.js'

/**
 * During a rollout the pages of two versions are about, and a page that stays open asks even later. An nginx has the
 * assets of its own version only, so each version leaves a copy of its assets in storage, where all others find them.
 */
export interface Assets {
  /** Stores the assets of this version that are not there yet; once it has, it has nothing more to do. */
  publish(): Promise<void>
  /** An asset of any version, or null. */
  find(name: string): Promise<{ content: Buffer; contentType: string } | null>
}

const contentTypes: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** A name with a hash in it, which will never stand for anything else, and is short enough for a file. */
const hashed = /^[\w-]{1,100}\.[0-9a-f]{20}\.(css|js|svg)$/

/** @param directory where webpack has put the assets of this version. */
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
      // Avatars are in the same place, and are none of this.
      const content = hashed.test(name) ? await storage.get(name) : null
      return content && { content, contentType: contentTypeOf(name) }
    },
  }
}
