import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import type { Labels } from './kubernetes/network-policies.js'
import type { Pod } from './kubernetes/pods.js'
import { run, type Result } from './kubernetes/run.js'
import { releases, type Minor } from './kubernetes/schemas.js'
import { root } from './werf-config.js'

export const chart = join(root, '.helm')
export const defaults = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as Record<string, unknown> & {
  environments: string[]
}
export const { name: chartName, kubeVersion } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as {
  name: string
  kubeVersion?: string
}
export const images = Object.fromEntries(
  ['server', 'worker', 'web'].map((name) => [name, { ref_tag: `registry.example.com/chat/${name}:1` }]),
)
export const minors = Object.keys(releases) as Minor[]

export interface Resource {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Labels; annotations?: Labels }
  spec?: unknown
  data?: Labels
  stringData?: Labels
}

/** A resource that creates pods. */
export interface Workload {
  kind: string
  /** Without the hash at the end of Job names. */
  name: string
  resource: Resource
  replicas: number
  pod: Pod
  labels: Labels
}

/** The problems that kubeconform finds in resources in YAML, one sentence each. */
export async function conform(minor: Minor, resources: string): Promise<string[]> {
  const args = [
    '-strict',
    '-output',
    'json',
    '-kubernetes-version',
    releases[minor],
    '-schema-location',
    inject('schemas')[minor],
    '-',
  ]
  const { stdout, stderr } = await run(inject('kubeconform'), args, resources)
  if (stderr !== '') throw new Error(stderr)
  const { resources: refused } = JSON.parse(stdout) as { resources: { kind: string; name: string; msg: string }[] }
  return refused.map(({ kind, name, msg }) => `${kind} ${name}: ${msg}`)
}

/** Runs `helm template` or `helm lint` with references to images. */
export async function helm(
  command: 'template' | 'lint',
  values: object,
  args: string[] = [],
  minor: Minor = '1.34',
): Promise<Result> {
  const names = command === 'template' ? ['chat', chart] : [chart, '--strict']
  return run(
    inject('helm'),
    [
      command,
      ...names,
      '--namespace',
      'chat',
      '--kube-version',
      releases[minor],
      '--set-json',
      `global.werf.images=${JSON.stringify(images)}`,
      '--values',
      '-',
      ...args,
    ],
    // JSON is YAML too, in each version of YAML.
    JSON.stringify(values),
  )
}

const rendered = new Map<string, Promise<string>>()

/** The resources of the chart as text, rendered once for equal arguments. @throws with the error of Helm. */
export function render(values: object = {}, args: string[] = []): Promise<string> {
  const key = JSON.stringify([values, args])
  const text = rendered.get(key) ?? renderAnew(values, args)
  rendered.set(key, text)
  return text
}

/** The same, rendered again with each call. */
export async function renderAnew(values: object = {}, args: string[] = [], minor?: Minor): Promise<string> {
  const { code, stdout, stderr } = await helm('template', values, args, minor)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

/** The error of Helm about values. @throws when Helm accepts them. */
export async function refusal(values: object, args: string[] = []): Promise<string> {
  const { code, stderr } = await helm('template', values, args)
  if (code === 0) throw new Error(`The chart has accepted ${JSON.stringify(values)}`)
  return stderr
}

/** Reads resources like Kubernetes, as YAML 1.1: an unquoted `on` is true. */
export function parseResources(text: string): Resource[] {
  return parseAllDocuments(text, { version: '1.1' }).flatMap((document) => {
    for (const error of document.errors) throw error
    return (document.toJS() as Resource | null) ?? []
  })
}

/** Deployments, StatefulSets, Jobs and CronJobs. */
export function workloadsOf(resources: Resource[]): Workload[] {
  return resources.flatMap((resource) => {
    const spec = resource.spec as
      | {
          replicas?: number
          template?: Pod & { metadata: { labels?: Labels } }
          jobTemplate?: { spec: { template: Pod & { metadata: { labels?: Labels } } } }
        }
      | undefined
    const template = spec?.template ?? spec?.jobTemplate?.spec.template
    if (template === undefined || !['Deployment', 'StatefulSet', 'Job', 'CronJob'].includes(resource.kind)) return []
    const name = resource.metadata.name.replace(/-[0-9a-f]{8}$/, '')
    return [
      {
        kind: resource.kind,
        name,
        resource,
        replicas: spec?.replicas ?? 1,
        pod: template,
        labels: template.metadata.labels ?? {},
      },
    ]
  })
}

/** The decoded values of all Secrets, by "secret/key". */
export function secretsOf(resources: Resource[]): Record<string, string> {
  const secrets = resources.filter(({ kind }) => kind === 'Secret')
  return Object.fromEntries(
    secrets.flatMap(({ metadata, data = {}, stringData = {} }) => [
      ...Object.entries(data).map(
        ([key, value]) => [`${metadata.name}/${key}`, Buffer.from(value, 'base64').toString()] as const,
      ),
      ...Object.entries(stringData).map(([key, value]) => [`${metadata.name}/${key}`, value] as const),
    ]),
  )
}
