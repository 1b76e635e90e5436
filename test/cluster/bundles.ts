import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { findProgram } from '../../tools/services/programs.js'
import { run } from './commands.js'
import { werfVariables } from './deployers.js'
import { buildImages, type Images } from './images.js'
import type { Surroundings } from './surroundings.js'
import type { Version } from './versions.js'

/** A way to publish a version as a bundle, a chart in the registry that names its images. */
export interface Publisher {
  /** Builds the images of a version and pushes them. */
  build(version: Version): Promise<void>
  /** Publishes a version that is built, under a number. */
  publish(version: Version, number: string): Promise<void>
}

const patienceMs = 900_000

/**
 * With werf if it is installed, otherwise with Helm, which packs the same chart.
 * @param group the path before `/chat` in the registry.
 */
export function createPublisher(surroundings: Surroundings, group: string, scratch: string): Publisher {
  return findProgram('werf') === undefined
    ? createHelmPublisher(surroundings, group, scratch)
    : createWerfPublisher(surroundings, group)
}

function createHelmPublisher({ registry }: Surroundings, group: string, scratch: string): Publisher {
  const built = new Map<Version, Images>()
  return {
    async build(version) {
      built.set(version, await buildImages(version, registry, scratch))
    },
    async publish(version, number) {
      const chart = join(scratch, `chart-${number}`)
      cpSync(join(version.directory, '.helm'), chart, { recursive: true })
      const values = parseDocument(readFileSync(join(chart, 'values.yaml'), 'utf8'))
      for (const [name, ref] of Object.entries(built.get(version) ?? {}))
        values.setIn(['global', 'werf', 'images', name, 'ref_tag'], ref)
      writeFileSync(join(chart, 'values.yaml'), String(values))
      await run('helm', ['package', chart, '--version', number, '--destination', scratch])
      await run('helm', ['push', join(scratch, `chat-${number}.tgz`), `oci://${registry}/${group}`, '--plain-http'])
    },
  }
}

function createWerfPublisher({ registry }: Surroundings, group: string): Publisher {
  // The repository of the other tests, so that nothing is built twice. Images for a deployment go to another repository.
  const repositories = ['--repo', `${registry}/chat-werf-yaml`, '--final-repo', `${registry}/${group}/chat`]
  const werf = ({ directory }: Version, ...args: string[]) =>
    run('werf', [...args, ...repositories], { cwd: directory, env: werfVariables, timeoutMs: patienceMs })
  return {
    async build(version) {
      await werf(version, 'build', '--final-images-only')
    },
    async publish(version, number) {
      // The pipelines do the same.
      await werf(version, 'bundle', 'publish', '--require-built-images', '--helm-compatible-chart', '--tag', number)
    },
  }
}
