import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from '../cluster/commands.js'
import { buildImages, type Images } from '../cluster/images.js'
import { forHelm } from './pages.js'

/**
 * Replaces `werf converge` and `werf dismiss` if werf is not installed. It builds the images of the commit in this folder with the available builder,
 * and runs Helm with the same flags. It refuses every other command, and each flag that Helm does not have.
 */
const [command = '', ...args] = process.argv.slice(2)
const { WERF_ENV = '', WERF_REPO = '', SCRATCH = '' } = process.env
const name = `chat-${WERF_ENV}`

try {
  if (command === 'converge') await converge()
  else if (command === 'dismiss') await dismiss()
  else throw new Error(`Helm cannot replace werf ${command}.`)
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function converge(): Promise<void> {
  const { flags, secretValues } = forHelm(args)
  if (secretValues.length > 0) throw new Error('Helm cannot decrypt values.')
  const refs = Object.entries(await imagesHere()).map(([image, ref]) => [
    '--set',
    `global.werf.images.${image}.ref_tag=${ref}`,
  ])
  const given = ['--set', `global.env=${WERF_ENV}`, ...refs.flat(), ...flags]
  await run(
    'helm',
    [
      'upgrade',
      '--install',
      name,
      '.helm',
      '--namespace',
      name,
      '--create-namespace',
      '--wait',
      '--wait-for-jobs',
      '--timeout=8m',
      ...given,
    ],
    {
      cwd: process.cwd(),
      timeoutMs: 900_000,
    },
  )
  process.stdout.write(`Succeeded release "${name}" (namespace: "${name}")\n`)
}

async function dismiss(): Promise<void> {
  const { release = name, namespace = name } = parseArgs({
    args,
    options: { release: { type: 'string' }, namespace: { type: 'string' }, 'with-namespace': { type: 'boolean' } },
  }).values
  await run('helm', ['uninstall', release, '--namespace', namespace, '--wait'], { timeoutMs: 300_000 })
  await run('kubectl', ['delete', 'namespace', namespace, '--timeout=180s'], { timeoutMs: 200_000 })
}

/** Builds the images once for each commit. */
async function imagesHere(): Promise<Images> {
  const { stdout: commit } = await run('git', ['rev-parse', 'HEAD'], { cwd: process.cwd() })
  const file = join(SCRATCH, `images-${commit.trim()}.json`)
  if (!existsSync(file)) {
    const registry = WERF_REPO.replace(/\/chat$/, '')
    writeFileSync(
      file,
      JSON.stringify(await buildImages({ name: 'guide', directory: process.cwd() }, registry, SCRATCH)),
    )
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Images
}
