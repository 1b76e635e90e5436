import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../../tools/services/programs.js'
import { run } from './commands.js'
import type { Version } from './versions.js'

export const imageNames = ['server', 'worker', 'web'] as const
export type Images = Record<(typeof imageNames)[number], string>

const patienceMs = 900_000

/**
 * Builds a version's images from the Dockerfile and pushes them, with buildah or docker. A tag depends on
 * what is in the image, so what has not changed keeps its reference.
 */
export async function buildImages(version: Version, registry: string, scratch: string): Promise<Images> {
  const refs: [string, string][] = []
  for (const name of imageNames) refs.push([name, await buildImage(version, name, registry, scratch)])
  return Object.fromEntries(refs) as Images
}

/** The same for one stage of the Dockerfile. @returns its reference. */
export async function buildImage(
  { directory }: Version,
  name: string,
  registry: string,
  scratch: string,
): Promise<string> {
  const build = findProgram('buildah') === undefined ? buildWithDocker : buildWithBuildah(directoryWithCa(scratch))
  const idFile = join(scratch, `${name}.id`)
  await build(directory, name, idFile)
  const id = readFileSync(idFile, 'utf8').trim()
  const ref = `${registry}/chat/${name}:${id.replace('sha256:', '').slice(0, 12)}`
  await push(id, ref)
  return ref
}

const buildWithBuildah = (ca: string[]) => (directory: string, target: string, idFile: string) =>
  run('buildah', ['build', '--isolation', 'chroot', '--layers', ...ca, '--target', target, '--iidfile', idFile, '.'], {
    cwd: directory,
    timeoutMs: patienceMs,
  })

const buildWithDocker = (directory: string, target: string, idFile: string) =>
  run('docker', ['build', '--target', target, '--iidfile', idFile, '.'], { cwd: directory, timeoutMs: patienceMs })

async function push(id: string, ref: string): Promise<void> {
  if (findProgram('buildah') !== undefined)
    return void (await run('buildah', ['push', '--quiet', '--tls-verify=false', id, `docker://${ref}`], {
      timeoutMs: patienceMs,
    }))
  await run('docker', ['tag', id, ref])
  await run('docker', ['push', '--quiet', ref], { timeoutMs: patienceMs })
}

/**
 * If a proxy replaces certificates, npm must trust it during the build too. The folder is only
 * mounted, over a folder that every Debian has, so nothing of it gets into the image.
 */
function directoryWithCa(scratch: string): string[] {
  const ca = process.env.NODE_EXTRA_CA_CERTS
  if (!ca) return []
  const place = '/usr/local/etc'
  const directory = join(scratch, 'npm-configuration')
  mkdirSync(directory, { recursive: true })
  copyFileSync(ca, join(directory, 'ca.pem'))
  writeFileSync(join(directory, 'npmrc'), `cafile=${place}/ca.pem\n`)
  return ['--volume', `${directory}:${place}:ro`]
}
