import { accessSync, constants, mkdirSync, statfsSync } from 'node:fs'
import { resolve } from 'node:path'

/** What a first start writes, in bytes, and room to run. */
const needed = 64 * 1024 * 1024

/**
 * Makes a folder where it is missing.
 * @param remedy what to do, beside making room or giving the rights.
 * @throws with a sentence for people when nothing can be written to it, or the disk is full.
 */
export function mustBeWritable(folder: string, remedy: string): void {
  const where = resolve(folder)
  try {
    mkdirSync(where, { recursive: true })
    accessSync(where, constants.W_OK)
  } catch {
    throw new Error(`Chat cannot write to the folder ${where}. Allow it to. ${remedy}`)
  }
  const { bavail, bsize } = statfsSync(where)
  const megabytes = (bytes: number) => Math.floor(bytes / 1024 / 1024)
  if (bavail * bsize < needed)
    throw new Error(
      `The disk is full: ${where} has ${megabytes(bavail * bsize)} MB left, and Chat needs ${megabytes(needed)} MB. Free some. ${remedy}`,
    )
}
