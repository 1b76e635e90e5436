import { execFile } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ChatError } from '../platform/errors.js'
import { createGate } from '../platform/gate.js'

export const megapixels = 24

/** How the process ends that draws a picture, when it has none to show. */
export const exitCodes = { damaged: 10, tooLarge: 11, tooExpensive: 12 }

const run = promisify(execFile)
// From its source it needs the same help as the server does.
const program = fileURLToPath(new URL(`./draw-avatar${extname(import.meta.url)}`, import.meta.url))
const loader = program.endsWith('.ts') ? ['--import', 'tsx'] : []

// In KiB, half of what the chart gives the server: enough for 24 megapixels of up to 6 bytes each, which a progressive JPEG takes.
// Stacks count in full, so they are small and few. Nothing is compiled: for compiled code Node 24 sets half a gigabyte aside.
const limits = 'ulimit -c 0 && ulimit -s 2048 && ulimit -d 256000'
const env = { UV_THREADPOOL_SIZE: '1' }
const drawing = [process.execPath, '--jitless', ...loader, program]
// Other systems have no such limits, and serve no strangers.
const command = process.platform === 'linux' ? ['/bin/sh', '-c', `${limits} && exec "$0" "$@"`, ...drawing] : drawing
const patienceMs = 30_000

// What one costs is bounded, so only one is drawn at a time.
const gate = createGate(1)

/**
 * Makes an avatar of a JPEG, PNG or WebP: a square WebP without anything the camera wrote down. It is drawn in a process of
 * its own, which gives all memory back, takes no more than its share whatever a file unfolds into, and knows no secrets.
 * @throws ChatError `unsupported_media` for what is none of the three or damaged, `too_large` beyond 24 megapixels or
 * its share, `invalid` when nobody waits for it any more.
 */
export async function encodeAvatar(body: Buffer, signal?: AbortSignal): Promise<Buffer> {
  try {
    return await gate(async () => {
      const options = { env, encoding: 'buffer', timeout: patienceMs, killSignal: 'SIGKILL', signal } as const
      const [file = '', ...args] = command
      const running = run(file, args, options)
      // It may end before it has read everything.
      running.child.stdin?.on('error', () => undefined).end(body)
      return (await running).stdout
    })
  } catch (error) {
    if (signal?.aborted) throw new ChatError('invalid', 'The request broke off.')
    const { code, signal: killedBy } = error as { code?: unknown; signal?: NodeJS.Signals | null }
    if (code === exitCodes.damaged)
      throw new ChatError(
        'unsupported_media',
        'This is not a JPEG, PNG or WebP picture, or it is damaged. Please choose another one.',
      )
    if (code === exitCodes.tooLarge)
      throw new ChatError(
        'too_large',
        `This picture has too many pixels. Choose one of up to ${megapixels} megapixels.`,
      )
    if (code === exitCodes.tooExpensive || killedBy) {
      throw new ChatError(
        'too_large',
        'This picture takes too much memory. Choose a smaller one, or one that is not interlaced.',
      )
    }
    throw error
  }
}
