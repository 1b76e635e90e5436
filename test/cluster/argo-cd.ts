import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { parse } from 'yaml'
import { root, run, until } from './commands.js'

/** The namespace of the Applications. */
const home = 'argocd'

/** The fields that these tests read. */
export interface Application {
  apiVersion: string
  kind: 'Application'
  metadata: { name: string; annotations?: Record<string, string> }
  spec: { source: { helm: { valuesObject: Record<string, unknown> } } }
  status?: {
    sync?: { status: string; revision: string }
    health?: { status: string }
    conditions?: { type: string; message: string }[]
    operationState?: {
      phase: string
      message?: string
      syncResult?: {
        revision: string
        resources?: { kind: string; name: string; hookPhase?: string; message?: string }[]
      }
    }
  }
}

const kubectl = async (args: string[], input?: object) =>
  (await run('kubectl', ['--namespace', home, ...args], input === undefined ? {} : { input: JSON.stringify(input) }))
    .stdout

/** The reason why these tests cannot run, as a sentence; undefined when Argo CD works in this cluster. */
export async function whatIsMissing(): Promise<string | undefined> {
  const name = `chat-probe-${randomBytes(4).toString('hex')}`
  const nowhere = { repoURL: 'registry.example.com', chart: 'chat', targetRevision: '1.0.0' }
  // Argo CD refuses its project before it loads the chart. Only a running controller reports this.
  const probe = { metadata: { name }, spec: { project: name, source: nowhere, destination: { name, namespace: name } } }
  try {
    await kubectl(['create', '--filename', '-'], { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', ...probe })
  } catch {
    return `the cluster has no Applications in a namespace ${home}`
  }
  try {
    await until('the condition of an Application', async () => (await get(name)).status!.conditions![0]!, 20_000)
    return undefined
  } catch {
    return `no application controller looks after the namespace ${home}`
  } finally {
    await kubectl(['delete', 'application', name, '--wait=false'])
  }
}

const get = async (name: string) =>
  JSON.parse(await kubectl(['get', 'application', name, '--output', 'json'])) as Application

/** The values for the placeholders in the manifests of .argocd. */
export interface Placeholders {
  /** The namespace, which is also the name of the Application and of the release. */
  namespace: string
  /** Registry with the bundle, and the path up to the name of the chart. */
  repository: string
  /** The chat's host name. */
  host: string
}

/** A manifest of .argocd, with its placeholders replaced. */
function manifest<Resource>(file: string, { namespace, repository, host }: Placeholders): Resource {
  const given = {
    'chat-production': namespace,
    'chat-registry': namespace,
    'registry.example.com': repository,
    'chat.example.com': host,
  }
  const filled = Object.entries(given).reduce(
    (text, [from, to]) => text.replaceAll(from, to),
    readFileSync(join(root, '.argocd', file), 'utf8'),
  )
  return parse(filled) as Resource
}

/** Applies the manifests of .argocd. They stay until `remove`, or until this process ends. */
export async function createApplication(placeholders: Placeholders) {
  const { namespace: name } = placeholders
  const application = manifest<Application>('application.yaml', placeholders)
  const repository = manifest<{ stringData: Record<string, string> }>('repository.yaml', placeholders)
  // Test clusters have no certificate for the chat, and none for the registry that is publicly trusted.
  application.spec.source.helm.valuesObject.ingress = { tls: { enabled: { production: false } } }
  repository.stringData.insecure = 'true'

  // The Application first, because with it Argo CD would make the namespace again. Its finalizer needs a working Argo CD, so it is removed without one.
  const removal = `cat >/dev/null
    kubectl --namespace ${home} delete application "$0" --ignore-not-found --timeout=150s ||
      kubectl --namespace ${home} patch application "$0" --type merge --patch '{"metadata": {"finalizers": null}}'
    kubectl --namespace ${home} delete secret "$0" --ignore-not-found
    kubectl delete namespace "$0" --ignore-not-found --wait=false`
  const remover = spawn('sh', ['-c', removal, name], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  remover.unref()
  ;(remover.stdin as Socket).unref()

  const apply = (resource: object) => kubectl(['apply', '--validate=strict', '--filename', '-'], resource)
  await apply(repository)
  // The comment in the manifest says to do this.
  const credentials = `printf 'stringData: {username: "%s", password: "%s"}' nobody nothing`
  await run('sh', [
    '-c',
    `${credentials} | kubectl patch secret "$0" --namespace ${home} --patch-file /dev/stdin`,
    name,
  ])
  await apply(application)

  return {
    /** The spec that was applied. */
    spec: application.spec,
    get: () => get(name),

    /** Argo CD checks the registry every few minutes. This makes it check now, without a change of the Application. */
    async refresh(): Promise<void> {
      await kubectl(['annotate', 'application', name, 'argocd.argoproj.io/refresh=normal', '--overwrite'])
      await until('Argo CD to have looked', async () => {
        if ((await get(name)).metadata.annotations?.['argocd.argoproj.io/refresh'] !== undefined)
          throw new Error('It has not.')
      })
    },

    /** Waits until a condition holds for the Application. @throws with its state when it never does. */
    async reaches(
      what: string,
      holds: (status: NonNullable<Application['status']>) => boolean,
    ): Promise<NonNullable<Application['status']>> {
      return until(
        `the Application to be ${what}`,
        async () => {
          const { status = {} } = await get(name)
          if (!holds(status)) throw new Error(summaryOf(status))
          return status
        },
        300_000,
      )
    },

    /** Removes the Application, and with it the release. */
    remove: () => kubectl(['delete', 'application', name, '--timeout=150s']),

    async describe(): Promise<string> {
      return summaryOf((await get(name)).status ?? {})
    },

    /** The resources of it that are left. */
    async cleanUp(): Promise<void> {
      const over = once(remover, 'exit')
      remover.stdin.end()
      await over
    },
  }
}

/** The state of the Application, for the error of a failed wait. */
function summaryOf({ sync, health, conditions = [], operationState }: NonNullable<Application['status']>): string {
  const { phase, message, syncResult } = operationState ?? {}
  const unfinished = (syncResult?.resources ?? []).filter(({ hookPhase }) => hookPhase !== 'Succeeded')
  return [
    `${sync?.status} to ${sync?.revision}, ${health?.status}; last operation: ${phase} for ${syncResult?.revision}, ${message}`,
    ...conditions.map((condition) => `${condition.type}: ${condition.message}`),
    ...unfinished.map((resource) => `${resource.kind} ${resource.name}: ${resource.hookPhase}, ${resource.message}`),
  ].join('\n')
}

/** All resources are deployed and healthy. */
export const isAt =
  (version: string) =>
  ({ sync, health, operationState }: NonNullable<Application['status']>) =>
    sync?.status === 'Synced' &&
    sync.revision === version &&
    health?.status === 'Healthy' &&
    operationState?.phase === 'Succeeded' &&
    operationState.syncResult?.revision === version
