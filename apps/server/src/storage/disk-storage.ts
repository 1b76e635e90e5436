import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Unavailable } from '../platform/errors.js'
import type { Storage } from './storage.js'

/** Stores files in a directory, for a chat that runs on one machine. */
export function createDiskStorage({ dir }: { dir: string }): Storage {
  // The server creates all keys. Should a request ever choose one, it must not lead out of the directory.
  function fileOf(key: string): string {
    if (!/^([\w-]+\/)?[\w-]+(\.[\w-]+)+$/.test(key)) throw new Error('Not a key of a file')
    return join(dir, key)
  }

  async function write(file: string, content: Buffer): Promise<void> {
    // A reader must never see a half-written file.
    const draft = `${file}.${randomUUID()}.draft`
    try {
      await writeFile(draft, content)
      await rename(draft, file)
    } catch (error) {
      await rm(draft, { force: true })
      rethrow(error)
    }
  }

  function rethrow(error: unknown): never {
    const isFull = (error as NodeJS.ErrnoException).code === 'ENOSPC'
    throw isFull ? new Unavailable(`The disk is full: free some space for ${dir}`, error) : error
  }

  return {
    async put(key, content) {
      const file = fileOf(key)
      await mkdir(dirname(file), { recursive: true }).catch(rethrow)
      await write(file, content)
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
