import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Storage } from './storage.js'

/** Pictures in a folder, for a chat that runs on one machine. */
export function createDiskStorage({ dir }: { dir: string }): Storage {
  // Keys are made by the server. Should one ever come from elsewhere, it must not lead out of the folder.
  function fileOf(key: string): string {
    if (!/^[a-z0-9-]+\.webp$/.test(key)) throw new Error('Not a key of a picture')
    return join(dir, key)
  }

  async function write(file: string, picture: Buffer): Promise<void> {
    // Nobody reads a picture that is only half there.
    const draft = `${file}.${randomUUID()}.draft`
    try {
      await writeFile(draft, picture)
      await rename(draft, file)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  }

  return {
    async put(key, picture) {
      await write(fileOf(key), picture)
    },
    async get(key) {
      try {
        return await readFile(fileOf(key))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw error
      }
    },
    async remove(key) {
      await rm(fileOf(key), { force: true })
    },
    async prepare() {
      await mkdir(dir, { recursive: true })
    },
    async check() {
      const file = join(dir, `check-${randomUUID()}`)
      await write(file, Buffer.from('check'))
      await rm(file)
    },
  }
}
