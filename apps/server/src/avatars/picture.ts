import { execFile } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { limits } from '../contract.js'
import { ChatError } from '../platform/errors.js'
import { createGate } from '../platform/gate.js'

/** Exit codes of the process that draws an avatar, when it fails. */
export const exitCodes = { damaged: 10, tooLarge: 11, tooExpensive: 12 }

const run = promisify(execFile)
// When the server runs from its TypeScript source, this program needs the same loader.
const program = fileURLToPath(new URL(`./draw-avatar${extname(import.meta.url)}`, import.meta.url))
const loader = program.endsWith('.ts') ? ['--import', 'tsx'] : []

// The memory limit is in KiB, half of what the chart gives the server. It is enough for 24 megapixels of 6 bytes, as in a
// progressive JPEG. Stacks count with their full size, so they are small and few. --jitless compiles no code, for which
// Node 24 would reserve half a gigabyte.
const share = 'ulimit -c 0 && ulimit -s 2048 && ulimit -d 256000'
const env = { UV_THREADPOOL_SIZE: '1' }
const drawing = [process.execPath, '--jitless', ...loader, program]
// Only Linux has these limits. Other systems are for development.
const command = process.platform === 'linux' ? ['/bin/sh', '-c', `${share} && exec "$0" "$@"`, ...drawing] : drawing
const timeoutMs = 30_000

// Only one avatar is drawn at a time, so the memory for all of them is bounded.
const gate = createGate(1)

/**
 * Makes an avatar from a JPEG, PNG or WebP picture: a square WebP without metadata. A separate process draws it, which has
 * a memory limit, gives all memory back when it ends, and knows no secrets.
 * @param signal aborts when the client has gone.
 * @throws ChatError `not_a_picture` for another format or a damaged file, `too_many_pixels`, `too_much_memory`,
 * `request_broken_off` when `signal` aborts.
 */
export async function encodeAvatar(body: Buffer, signal?: AbortSignal): Promise<Buffer> {
  try {
    return await gate(async () => {
      const options = { env, encoding: 'buffer', timeout: timeoutMs, killSignal: 'SIGKILL', signal } as const
      const [file = '', ...args] = command
      const running = run(file, args, options)
      // The process may end before it has read its whole input.
      running.child.stdin?.on('error', () => undefined).end(body)
      return (await running).stdout
    })
  } catch (error) {
    if (signal?.aborted) throw new ChatError('request_broken_off', 'The request broke off.')
    const { code, signal: killedBy } = error as { code?: unknown; signal?: NodeJS.Signals | null }
    if (code === exitCodes.damaged)
      throw new ChatError(
        'not_a_picture',
        'This is not a JPEG, PNG or WebP picture, or it is damaged. Please choose another one.',
      )
    if (code === exitCodes.tooLarge)
      throw new ChatError(
        'too_many_pixels',
        `This picture has too many pixels. Choose one of up to ${limits.picture.megapixels} megapixels.`,
      )
    if (code === exitCodes.tooExpensive || killedBy) {
      throw new ChatError(
        'too_much_memory',
        'This picture takes too much memory. Choose a smaller one, or one that is not interlaced.',
      )
    }
    throw error
  }
}
