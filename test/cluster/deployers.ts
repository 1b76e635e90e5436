import { join } from 'node:path'
import { findProgram } from '../../tools/services/programs.js'
import { run } from './commands.js'
import { buildImages, type Images } from './images.js'
import type { Namespace } from './namespace.js'
import type { Surroundings } from './surroundings.js'
import type { Version } from './versions.js'

/** A way to deploy a release to the cluster. */
export interface Deployer {
  /** Builds the images of a version and pushes them. */
  build(version: Version): Promise<void>
  /** Deploys a built version to the namespace and resolves when everything is ready. @throws when the deploy fails. */
  deploy(version: Version, more?: { values?: string[]; valuesFile?: string; timeoutSeconds?: number }): Promise<void>
  /** Returns to an earlier version. */
  rollback(version: Version): Promise<void>
  remove(): Promise<void>
}

interface DeployerOptions {
  namespace: Namespace
  surroundings: Surroundings
  scratch: string
  /** As for `--set`, with each deploy. */
  values: string[]
  /** Environment; `test` unless another is given. */
  env?: string
}

const release = 'chat'
const patienceMs = 900_000
const sets = (values: string[]) => values.flatMap((value) => ['--set', value])

/** Settings of werf without a Docker daemon and without calls to the internet. Variables that are set already win. */
export const werfVariables: NodeJS.ProcessEnv = {
  WERF_BUILDAH_MODE: 'native-chroot',
  WERF_SYNCHRONIZATION: ':local',
  WERF_TELEMETRY: '0',
  WERF_DISABLE_AUTO_HOST_CLEANUP: '1',
  WERF_INSECURE_REGISTRY: '1',
  ...process.env,
}

/** werf with each of its two configurations, if it is installed; otherwise Helm. */
export const deployers: { name: string; create: (options: DeployerOptions) => Deployer }[] =
  findProgram('werf') === undefined
    ? [{ name: 'Helm', create: createHelmDeployer }]
    : ['werf.yaml', 'werf.dockerfile.yaml'].map((config) => ({
        name: `werf and ${config}`,
        create: (options) => createWerfDeployer(options, config),
      }))

function createHelmDeployer({ namespace, surroundings, scratch, values, env = 'test' }: DeployerOptions): Deployer {
  const helm = (...args: string[]) => run('helm', [...args, '--namespace', namespace.name], { timeoutMs: patienceMs })
  const built = new Map<Version, Images>()
  const revisions = new Map<Version, string>()

  return {
    async build(version) {
      built.set(version, await buildImages(version, surroundings.registry, scratch))
    },
    async deploy(version, { values: more = [], valuesFile, timeoutSeconds = 480 } = {}) {
      const file = valuesFile === undefined ? [] : ['--values', join(version.directory, valuesFile)]
      const refs = Object.entries(built.get(version) ?? {}).map(
        ([name, ref]) => `global.werf.images.${name}.ref_tag=${ref}`,
      )
      const given = sets([`global.env=${env}`, ...refs, ...values, ...more])
      await helm(
        'upgrade',
        '--install',
        release,
        join(version.directory, '.helm'),
        '--wait',
        '--wait-for-jobs',
        `--timeout=${timeoutSeconds}s`,
        ...file,
        ...given,
      )
      revisions.set(version, await newestRevision(namespace))
    },
    async rollback(version) {
      await helm('rollback', release, revisions.get(version) ?? '', '--wait', '--wait-for-jobs', '--timeout=8m')
    },
    async remove() {
      await helm('uninstall', release, '--wait')
    },
  }
}

function createWerfDeployer(
  { namespace, surroundings, values, env = 'test' }: DeployerOptions,
  config: string,
): Deployer {
  const repo = `${surroundings.registry}/chat-${config.replaceAll('.', '-')}`
  const where = ['--namespace', namespace.name, '--release', release]
  const revisions = new Map<Version, string>()
  let latest: Version
  const werf = ({ directory }: Version, command: string, ...args: string[]) =>
    run('werf', [command, '--config', config, '--env', env, ...args], {
      cwd: directory,
      env: werfVariables,
      timeoutMs: patienceMs,
    })

  return {
    async build(version) {
      await werf(version, 'build', '--final-images-only', '--repo', repo)
    },
    async deploy(version, { values: more = [], valuesFile, timeoutSeconds = 480 } = {}) {
      const file = valuesFile === undefined ? [] : ['--values', valuesFile]
      latest = version
      await werf(
        version,
        'converge',
        ...where,
        '--repo',
        repo,
        '--timeout',
        String(timeoutSeconds),
        ...file,
        ...sets([...values, ...more]),
      )
      revisions.set(version, await newestRevision(namespace))
    },
    async rollback(version) {
      await werf(version, 'rollback', ...where, '--revision', revisions.get(version) ?? '')
    },
    async remove() {
      await werf(latest, 'dismiss', ...where)
    },
  }
}

/** Helm and werf keep their releases in the same place. */
async function newestRevision(namespace: Namespace): Promise<string> {
  const found = await namespace.kubectl(
    'get',
    'secrets',
    '-l',
    `owner=helm,name=${release}`,
    '-o',
    'jsonpath={.items[*].metadata.labels.version}',
  )
  return String(Math.max(...found.split(' ').map(Number)))
}
