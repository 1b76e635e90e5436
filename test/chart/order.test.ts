import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { containersOf } from './kubernetes/pods.js'
import { cases, given } from './cases.js'
import { chart, parseResources, render, renderAnew, secretsOf, workloadsOf, type Resource } from './chart.js'

interface Dependency {
  of: Resource
  kind: string
  name: string
  state: string
}

const isHook = ({ metadata }: Resource) => metadata.annotations?.['helm.sh/hook'] !== undefined
const wave = ({ metadata }: Resource) => Number(metadata.annotations?.['argocd.argoproj.io/sync-wave'] ?? 0)
const called = ({ kind, metadata }: Resource) => `${kind} ${metadata.name}`
const jobsOf = (text: string) =>
  parseResources(text)
    .flatMap((resource) => (resource.kind === 'Job' && !isHook(resource) ? resource.metadata.name : []))
    .sort()

/** The order of werf, from the annotations of the resources that wait. */
function dependenciesOf(resources: Resource[]): Dependency[] {
  return resources.flatMap((of) =>
    Object.entries(of.metadata.annotations ?? {}).flatMap(([key, value]) => {
      if (!key.startsWith('werf.io/deploy-dependency-')) return []
      const {
        state = '',
        kind = '',
        name = '',
      } = Object.fromEntries(value.split(',').map((pair) => pair.split('='))) as Record<string, string>
      return [{ of, state, kind, name }]
    }),
  )
}

describe.concurrent.each(Object.entries(cases))('the order of the chart with %s', (_, values) => {
  const resources = render(values).then(parseResources)

  it('names only resources of the same rendering', async () => {
    const all = await resources
    const missing = dependenciesOf(all).filter(
      ({ kind, name, state }) =>
        state !== 'ready' || !all.some((one) => one.kind === kind && one.metadata.name === name && !isHook(one)),
    )
    expect(missing.map(({ of, kind, name }) => `${called(of)} waits for ${kind} ${name}`)).toEqual([])
  })

  it('makes server and worker wait for bucket and schema, and these for their services', async () => {
    const all = await resources
    const waits = dependenciesOf(all).map(({ of, name }) =>
      `${of.metadata.name} > ${name}`.replace(/-[0-9a-f]{8}(?= |$)/g, ''),
    )
    const has = (name: string) => all.some(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === name)
    const apps = all.flatMap(({ kind, metadata }) => (kind === 'Deployment' ? metadata.name : []))
    const tasks = all.flatMap((one) =>
      one.kind === 'Job' && !isHook(one) ? one.metadata.name.replace(/-[0-9a-f]{8}$/, '') : [],
    )
    expect([apps, tasks]).toEqual([expect.arrayContaining(['server']), expect.arrayContaining(['migrations'])])
    expect(waits).toEqual(expect.arrayContaining(apps.flatMap((app) => tasks.map((task) => `${app} > ${task}`))))
    expect(waits.includes('migrations > postgres')).toBe(has('postgres'))
    expect(waits.includes('bucket > s3')).toBe(has('s3'))
  })

  it('is the same with werf and with Argo CD', async () => {
    const all = await resources
    const contrary = dependenciesOf(all).filter(({ of, kind, name }) =>
      all.some((one) => one.kind === kind && one.metadata.name === name && wave(one) >= wave(of)),
    )
    expect(contrary.map(({ of, kind, name }) => `${called(of)} is not in a later wave than ${kind} ${name}`)).toEqual(
      [],
    )
  })

  it('creates Secrets and ConfigMaps before the pods that use them, or together', async () => {
    const all = await resources
    for (const { resource, pod } of workloadsOf(all)) {
      const { serviceAccountName } = pod.spec
      const volumes = (pod.spec.volumes ?? []) as { configMap?: { name: string }; secret?: { secretName: string } }[]
      const refs = containersOf(pod.spec).flatMap(({ env = [] }) =>
        env.flatMap(({ valueFrom }) => (valueFrom?.secretKeyRef as { name: string } | undefined)?.name ?? []),
      )
      const wanted = [
        ...(serviceAccountName === undefined ? [] : [`ServiceAccount ${serviceAccountName}`]),
        ...volumes.flatMap(({ configMap, secret }) => [
          ...(configMap ? [`ConfigMap ${configMap.name}`] : []),
          ...(secret ? [`Secret ${secret.secretName}`] : []),
        ]),
        ...refs.map((name) => `Secret ${name}`),
      ]
      const late = all.filter((one) => wanted.includes(called(one)) && (isHook(one) || wave(one) > wave(resource)))
      expect(late.map(called), called(resource)).toEqual([])
    }
  })

  it('gives werf no hook before the resources that it needs, and one kind of order', async () => {
    for (const one of await resources) {
      expect(one.metadata.annotations?.['helm.sh/hook'] ?? 'post-install', called(one)).toMatch(/^post-/)
      expect(Object.keys(one.metadata.annotations ?? {}), called(one)).not.toContain('werf.io/weight')
    }
  })

  it('gives each Job a time limit, retries only where they are harmless, and deletes hooks before the next run', async () => {
    for (const { kind, name, resource } of workloadsOf(await resources)) {
      if (kind !== 'Job') continue
      const { backoffLimit, activeDeadlineSeconds, template } = resource.spec as {
        backoffLimit?: number
        activeDeadlineSeconds?: number
        template: { spec: { restartPolicy: string } }
      }
      expect(activeDeadlineSeconds, name).toBeGreaterThan(0)
      expect(template.spec.restartPolicy, name).toBe('Never')
      if (name === 'migrations' || name === 'bucket') expect(backoffLimit, name).toBe(0)
      if (isHook(resource))
        expect(resource.metadata.annotations?.['helm.sh/hook-delete-policy'], name).toContain('before-hook-creation')
      // The next converge would make a Job again that deletes itself.
      expect(Object.keys(resource.spec as object), name).not.toContain('ttlSecondsAfterFinished')
    }
  })
})

describe('fixtures', () => {
  it('are added after the first deploy only, and before the acceptance test', async () => {
    const resources = parseResources(await render({ ...cases['the acceptance test'], ...cases.fixtures }))
    const hookOf = (name: string) =>
      resources.find(({ kind, metadata }) => kind === 'Job' && metadata.name === name)?.metadata.annotations ?? {}
    expect(hookOf('fixtures')['helm.sh/hook']).toBe('post-install')
    expect(hookOf('acceptance')['helm.sh/hook']).toBe('post-install,post-upgrade')
    expect(Number(hookOf('fixtures')['helm.sh/hook-weight'])).toBeLessThan(
      Number(hookOf('acceptance')['helm.sh/hook-weight']),
    )
  })
})

describe('a Job', () => {
  const other = (name: string) => [
    '--set-json',
    `global.werf.images.${name}={"ref_tag":"registry.example.com/chat/${name}:2"}`,
  ]

  it('has a new name when its image changes, and only then', async () => {
    const [usual, again, web, worker, server] = await Promise.all([
      render(),
      renderAnew(),
      render({}, other('web')),
      render({}, other('worker')),
      render({}, other('server')),
    ])
    const names = jobsOf(usual)
    expect(names.map((name) => name.replace(/[0-9a-f]{8}$/, '…'))).toEqual(['bucket-…', 'migrations-…'])
    for (const text of [again, web, worker]) expect(jobsOf(text)).toEqual(names)
    expect(jobsOf(server).filter((name) => names.includes(name))).toEqual([])
  })

  it('has a new name when its variables change', async () => {
    const usual = jobsOf(await render(given))
    const bucket = jobsOf(
      await render({ app: { ...given.app, s3: { ...given.app.s3, bucket: { _default: 'pictures' } } } }),
    )
    expect(bucket.filter((name) => !usual.includes(name)).map((name) => name.replace(/-.*/, ''))).toEqual(['bucket'])
    const secret = jobsOf(
      await render({ app: { ...given.app, postgres_password: { _default: 'another-postgres-password' } } }),
    )
    expect(secret.filter((name) => !usual.includes(name)).map((name) => name.replace(/-.*/, ''))).toContain(
      'migrations',
    )
  })

  it('keeps its name when only other values change', async () => {
    const usual = jobsOf(await render(given))
    for (const change of [
      { loginUrl: { _default: '/welcome' } },
      { server: { replicas: { _default: 5 } } },
      { postgres: { resources: { limits: { memory: '1Gi' } } } },
      { ingress: { class: { _default: 'other' } } },
    ]) {
      expect(jobsOf(await render({ ...given, ...change }))).toEqual(usual)
    }
  })
})

describe('rendering twice', () => {
  it('gives the same bytes when every secret is given', async () => {
    expect(await renderAnew(given)).toBe(await renderAnew(given))
  })

  it('gives the same except the generated secrets', async () => {
    const rest = async () => {
      const text = await renderAnew()
      const secrets = Object.values(secretsOf(parseResources(text))).map((value) =>
        Buffer.from(value).toString('base64'),
      )
      return secrets.filter((value) => value !== '').reduce((all, value) => all.replaceAll(value, '…'), text)
    }
    expect(await rest()).toBe(await rest())
  })

  it('does not depend on time or chance', () => {
    const templates = readdirSync(chart, { recursive: true, encoding: 'utf8' }).filter((file) =>
      /templates\/.*\.(yaml|tpl)$/.test(file),
    )
    expect(templates.length).toBeGreaterThan(10)
    for (const file of templates) {
      const code = [...readFileSync(join(chart, file), 'utf8').matchAll(/\{\{(?!-?\s*\/\*)[\s\S]*?\}\}/g)]
        .map(([action]) => action)
        .join('\n')
      expect(code, file).not.toMatch(
        /Release\.Revision|Release\.Is(Install|Upgrade)|\b(now|dateInZone|htmlDate|ago|uuidv4|genPrivateKey|genSelfSignedCert|genCA|getHostByName|expandenv)\b/,
      )
      if (!file.endsWith('app-secrets.yaml'))
        expect(code, file).not.toMatch(/\brand(Alpha|AlphaNum|Numeric|Ascii|Bytes|Int)\b/)
    }
  })
})

describe('a restart of the pods', () => {
  const templatesOf = async (values: object) =>
    Object.fromEntries(
      workloadsOf(parseResources(await render(values))).map(({ name, pod }) => [name, JSON.stringify(pod)]),
    )
  const restartedBy = async (values: object) => {
    const [before, after] = await Promise.all([templatesOf(given), templatesOf({ ...given, ...values })])
    return Object.keys(before).filter((name) => before[name] !== after[name])
  }

  it('follows a change of config.json, where it is read', async () => {
    expect(await restartedBy({ loginUrl: { _default: '/welcome' } })).toEqual(['server'])
  })

  it('follows a change of a given secret, where it is read', async () => {
    const restarted = await restartedBy({ app: { ...given.app, cookie_secret: { _default: 'another-cookie-secret' } } })
    expect(restarted).toEqual(expect.arrayContaining(['server', 'worker']))
  })

  it('does not follow a change of the number of replicas', async () => {
    expect(await restartedBy({ server: { replicas: { _default: 5 } } })).toEqual([])
  })
})
