import { accessSync, constants, mkdirSync, statfsSync } from 'node:fs'
import { resolve } from 'node:path'

/** The bytes that a first start writes, with some space left to run. */
const needed = 64 * 1024 * 1024

/**
 * Creates a folder if it is missing.
 * @param remedy a sentence with another solution than free space or write permission.
 * @throws an error whose message explains the problem, if the folder cannot be written to or the disk is full.
 */
export function mustBeWritable(folder: string, remedy: string): void {
  const where = resolve(folder)
  try {
    mkdirSync(where, { recursive: true })
    accessSync(where, constants.W_OK)
  } catch {
    throw new Error(`Chat cannot write to the folder ${where}. Give yourself write permission. ${remedy}`)
  }
  const { bavail, bsize } = statfsSync(where)
  const megabytes = (bytes: number) => Math.floor(bytes / 1024 / 1024)
  if (bavail * bsize < needed)
    throw new Error(
      `The disk is full: ${where} has ${megabytes(bavail * bsize)} MB left, and Chat needs ${megabytes(needed)} MB. Free some space. ${remedy}`,
    )
}
