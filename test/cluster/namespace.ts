import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { run, until } from './commands.js'

/** The fields that these tests read. */
export interface Pod {
  metadata: { name: string; uid: string; deletionTimestamp?: string; labels: Record<string, string> }
  spec: { containers: { name: string; image: string }[]; initContainers?: { name: string }[] }
  status: {
    phase: string
    conditions?: { type: string; status: string }[]
    containerStatuses?: { name: string; restartCount: number; ready: boolean }[]
  }
}

export interface Job {
  metadata: { name: string; uid: string }
  status: { succeeded?: number; failed?: number }
}

/** A new namespace under Pod Security "restricted". */
export type Namespace = Awaited<ReturnType<typeof createNamespace>>

/**
 * @param scratch a folder that is removed when this process ends.
 * @throws when there is one of that name.
 */
export async function createNamespace(scratch: string, name = `chat-test-${randomBytes(4).toString('hex')}`) {
  const kubectl = async (...args: string[]) => (await run('kubectl', ['--namespace', name, ...args])).stdout
  const get = async <Resource>(...args: string[]) =>
    (JSON.parse(await kubectl('get', ...args, '-o', 'json')) as { items: Resource[] }).items

  await run('kubectl', ['create', 'namespace', name])
  // The other end of the pipe notices every end of this process, which ends together with vitest.
  process.once('disconnect', () => process.exit(1))
  const remover = spawn(
    'sh',
    [
      '-c',
      'cat >/dev/null; rm -rf "$1"; exec kubectl delete namespace "$0" --ignore-not-found --wait=false',
      name,
      scratch,
    ],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    },
  )
  remover.unref()
  ;(remover.stdin as Socket).unref()
  await run('kubectl', [
    'label',
    'namespace',
    name,
    ...['enforce', 'warn', 'audit'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`),
  ])

  /** Pods that are neither stopping nor finished, by the name of their workload. */
  async function pods(app?: string): Promise<Pod[]> {
    const all = await get<Pod>('pods', ...(app === undefined ? [] : ['-l', `app.kubernetes.io/name=${app}`]))
    return all.filter(
      ({ metadata, status }) => metadata.deletionTimestamp === undefined && status.phase !== 'Succeeded',
    )
  }

  return {
    name,
    kubectl,
    pods,
    jobs: () => get<Job>('jobs'),

    /** Waits until a workload has exactly this number of pods, all ready and none in `except`. */
    ready: (app: string, count: number, except: Pod[] = []) =>
      until(`${count} ready pods of ${app} in ${name}`, async () => {
        const found = await pods(app)
        const old = new Set(except.map(({ metadata }) => metadata.uid))
        if (found.length !== count || !found.every((pod) => isReady(pod) && !old.has(pod.metadata.uid)))
          throw new Error(found.map(describePod).join('\n') || 'There is none.')
        return found
      }),

    /** Waits until these pods are deleted. */
    async gone(left: Pod[]): Promise<void> {
      for (const { metadata } of left) await kubectl('wait', '--for=delete', `pod/${metadata.name}`, '--timeout=120s')
    },

    /** The logs of one container, and of all containers. */
    logsOf: (what: string) => kubectl('logs', what, '--all-containers', '--tail=-1'),
    async logs(): Promise<string> {
      const all = await get<Pod>('pods')
      return (
        await Promise.all(
          all.map(({ metadata }) =>
            kubectl('logs', metadata.name, '--all-containers', '--prefix', '--tail=-1').catch(() => ''),
          ),
        )
      ).join('')
    },

    /** All resources of the namespace, as `kind/name`. */
    async everything(): Promise<string[]> {
      const kinds = (
        await run('kubectl', ['api-resources', '--namespaced', '--verbs=list,create', '-o', 'name'])
      ).stdout
        .trim()
        .split('\n')
      const found = await kubectl(
        'get',
        kinds.filter((kind) => !/^events(\.|$)/.test(kind)).join(','),
        '-o',
        'name',
        '--ignore-not-found',
      )
      return found
        .split('\n')
        .filter((line) => line !== '')
        .sort()
    },

    /** Details for a failure: pods, events, and the logs of pods that are not ready. */
    async describe(): Promise<string> {
      const unwell = (await get<Pod>('pods')).filter((pod) => pod.status.phase !== 'Succeeded' && !isReady(pod))
      const logs = unwell.map(
        async ({ metadata }) =>
          `--- ${metadata.name}\n${await kubectl('logs', metadata.name, '--all-containers', '--prefix', '--tail=40').catch(String)}`,
      )
      return [
        await kubectl('get', 'pods,jobs', '-o', 'wide'),
        (await kubectl('get', 'events', '--sort-by=.lastTimestamp')).split('\n').slice(-40).join('\n'),
        ...(await Promise.all(logs)),
      ].join('\n')
    },

    async remove(): Promise<void> {
      await run('kubectl', ['delete', 'namespace', name, '--ignore-not-found', '--timeout=180s'], {
        timeoutMs: 200_000,
      })
      remover.stdin.end()
    },
  }
}

export function isReady({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}

function describePod(pod: Pod): string {
  return `${pod.metadata.name} is ${pod.status.phase}${isReady(pod) ? '' : ', not ready'}`
}
