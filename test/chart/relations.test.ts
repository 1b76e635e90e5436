import { describe, expect, it } from 'vitest'
import { selects, type Labels, type Selector } from './kubernetes/network-policies.js'
import { cases } from './cases.js'
import { chartName, parseResources, render, workloadsOf, type Resource, type Workload } from './chart.js'

interface ServiceSpec {
  selector: Labels
  ports: { name: string; port: number; targetPort: number | string }[]
}
interface Backend {
  name: string
  port: number
}

/** Each Service and its container port. */
const services: Record<string, string> = {
  server: 'server http 8080',
  web: 'server web 8081',
  postgres: 'postgres postgres 5432',
  redis: 'redis redis 6379',
  rabbitmq: 'rabbitmq amqp 5672',
  s3: 's3 s3 7070',
}

const named = (resources: Resource[], kind: string) => resources.filter((resource) => resource.kind === kind)
const foundBy = (workloads: Workload[], selector: Selector) =>
  workloads.filter(({ labels }) => selects(selector, labels)).map(({ name }) => name)

describe.concurrent.each(Object.entries(cases))('in the chart with %s', (_, values) => {
  const resources = render(values).then(parseResources)
  const workloads = resources.then(workloadsOf)
  const assetsBy = (values as { builtIn?: { assets?: boolean } }).builtIn?.assets === true ? 'server' : 'web'

  it('each Service selects one port of one workload', async () => {
    for (const { metadata, spec } of named(await resources, 'Service')) {
      const { selector, ports } = spec as ServiceSpec
      const found = (await workloads).filter(({ labels }) => selects({ matchLabels: selector }, labels))
      const leads = found.flatMap(({ name, pod }) =>
        pod.spec.containers.flatMap(({ ports: own = [] }) =>
          own
            .filter((one) =>
              ports.some(({ targetPort }) => targetPort === one.name || targetPort === one.containerPort),
            )
            .map((one) => `${name} ${one.name} ${one.containerPort}`),
        ),
      )
      expect(leads, metadata.name).toEqual([services[metadata.name]])
    }
    const names = named(await resources, 'Service').map(({ metadata }) => metadata.name)
    expect(names).toContain('server')
    expect(names.includes('web')).toBe(assetsBy === 'web')
  })

  it('each controller selects its own pods only', async () => {
    for (const { name, kind, resource } of await workloads) {
      const { selector, serviceName } = resource.spec as { selector?: Selector; serviceName?: string }
      if (selector !== undefined) expect(foundBy(await workloads, selector), name).toEqual([name])
      if (kind === 'StatefulSet')
        expect(named(await resources, 'Service').map(({ metadata }) => metadata.name)).toContain(serviceName)
    }
  })

  it('the Ingress and the HTTPRoute send assets to nginx, if there is one, and all other paths to the server, under one host', async () => {
    const entrances = (await resources).filter(({ kind }) => kind === 'Ingress' || kind === 'HTTPRoute')
    expect(entrances).toHaveLength(1)
    const services = named(await resources, 'Service')
    for (const { kind, spec } of entrances) {
      const { hosts, routes } = kind === 'Ingress' ? ingressRoutes(spec) : httpRoutes(spec)
      expect(hosts).toHaveLength(1)
      expect(Object.fromEntries(routes.map(({ path, backend }) => [path, backend.name]))).toEqual({
        '/assets': assetsBy,
        '/': 'server',
      })
      for (const { backend } of routes) {
        const ports = services
          .filter(({ metadata }) => metadata.name === backend.name)
          .flatMap(({ spec }) => (spec as ServiceSpec).ports.map(({ port }) => port))
        expect(ports).toContain(backend.port)
      }
    }
  })

  it('the URL of the chat has the host of the Ingress', async () => {
    const [entrance] = (await resources).filter(({ kind }) => kind === 'Ingress' || kind === 'HTTPRoute')
    const { hosts } = entrance?.kind === 'Ingress' ? ingressRoutes(entrance.spec) : httpRoutes(entrance?.spec)
    const hasTls = (entrance?.spec as { tls?: unknown } | undefined)?.tls !== undefined
    const urls = new Set(
      (await workloads).flatMap(({ pod }) =>
        pod.spec.containers.flatMap(({ env = [] }) => env.find(({ name }) => name === 'PUBLIC_URL')?.value ?? []),
      ),
    )
    expect([...urls]).toEqual(
      'publicUrl' in values ? ['https://chat.example.com:8443'] : [`${hasTls ? 'https' : 'http'}://${hosts[0]}`],
    )
  })

  it('a node can be drained, even of the only replica', async () => {
    const budgets = named(await resources, 'PodDisruptionBudget')
    for (const { metadata, spec } of budgets) {
      const { selector, maxUnavailable, minAvailable } = spec as {
        selector: Selector
        maxUnavailable?: number
        minAvailable?: number
      }
      expect(foundBy(await workloads, selector), metadata.name).toEqual([metadata.name])
      // minAvailable: 1 would block the eviction of a single replica for ever.
      expect({ maxUnavailable, minAvailable }, metadata.name).toEqual({ maxUnavailable: 1, minAvailable: undefined })
    }
    const apps = (await workloads).flatMap(({ kind, name }) => (kind === 'Deployment' ? name : []))
    expect(budgets.map(({ metadata }) => metadata.name).sort()).toEqual(apps.sort())
  })

  it('either the chart or the autoscaler sets the number of replicas', async () => {
    const scaled = named(await resources, 'HorizontalPodAutoscaler').map(
      ({ spec }) =>
        spec as { scaleTargetRef: { kind: string; name: string }; minReplicas: number; maxReplicas: number },
    )
    for (const { kind, name, resource } of await workloads) {
      const scaler = scaled.find(({ scaleTargetRef }) => scaleTargetRef.kind === kind && scaleTargetRef.name === name)
      const hasReplicas = 'replicas' in (resource.spec as object)
      if (kind === 'Deployment') expect(hasReplicas, name).toBe(scaler === undefined)
      if (scaler === undefined) continue
      expect(scaler.minReplicas).toBeLessThanOrEqual(scaler.maxReplicas)
      expect(resource.metadata.annotations?.['werf.io/replicas-on-creation']).toBe(String(scaler.minReplicas))
    }
    const targets = scaled.map(({ scaleTargetRef }) => scaleTargetRef.name)
    expect((await workloads).map(({ name }) => name)).toEqual(expect.arrayContaining(targets))
  })

  it('each network policy selects existing pods', async () => {
    const present = [...(await workloads).map(({ labels }) => labels), { 'acme.cert-manager.io/http01-solver': 'true' }]
    for (const { metadata, spec } of named(await resources, 'NetworkPolicy')) {
      const { podSelector } = spec as { podSelector: Selector }
      expect(
        present.some((labels) => selects(podSelector, labels)),
        metadata.name,
      ).toBe(true)
    }
  })

  it('every resource has labels that name the release and the component', async () => {
    for (const { kind, metadata } of await resources) {
      expect(Object.keys(metadata.labels ?? {}), `${kind} ${metadata.name}`).toEqual(
        expect.arrayContaining(
          ['name', 'instance', 'component', 'part-of', 'version', 'managed-by'].map(
            (label) => `app.kubernetes.io/${label}`,
          ),
        ),
      )
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/part-of': chartName,
        'app.kubernetes.io/instance': 'chat',
        'app.kubernetes.io/managed-by': 'Helm',
      })
    }
  })
})

describe('a switch', () => {
  const kindsOf = async (name: string) =>
    (await render(cases[name]).then(parseResources)).map(
      ({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-f]{8}$/, '')}`,
    )

  it.each([
    ['autoscaling', ['HorizontalPodAutoscaler server'], []],
    ['an HTTPRoute instead of an Ingress', [`HTTPRoute ${chartName}`], [`Ingress ${chartName}`]],
    ['the acceptance test', ['Job acceptance'], []],
    ['acceptance', ['Job acceptance'], []],
    ['fixtures', ['Job fixtures'], []],
    ['fixtures in production', ['Job fixtures'], []],
    ['a postgres outside', [], ['StatefulSet postgres', 'Service postgres', 'ServiceAccount postgres']],
    ['a redis outside', [], ['StatefulSet redis', 'Service redis', 'ServiceAccount redis']],
    ['a rabbitmq outside', [], ['StatefulSet rabbitmq', 'Service rabbitmq', 'ServiceAccount rabbitmq']],
    ['a s3 outside', [], ['StatefulSet s3', 'Service s3', 'ServiceAccount s3']],
    ['assets built in', [], ['Service web', 'ConfigMap app-config']],
    ['storage built in', ['PersistentVolumeClaim server'], ['StatefulSet s3', 'Service s3', 'Job bucket']],
    ['sessions built in', [], ['StatefulSet redis', 'Service redis']],
    ['bus built in', [], ['StatefulSet rabbitmq', 'Service rabbitmq', 'Deployment worker', 'ServiceAccount worker']],
    ['no upkeep', [], ['CronJob upkeep']],
    ['a Secret made outside', [], ['Secret app-secrets']],
    ['a registry Secret from a Docker config', ['Secret registry'], []],
  ])('%s makes what it says and unmakes what it replaces', async (name, made, unmade) => {
    const usual = await kindsOf('no environment')
    const kinds = await kindsOf(name)
    expect(kinds).toEqual(expect.arrayContaining(made))
    expect(made.filter((one) => usual.includes(one))).toEqual([])
    expect(usual).toEqual(expect.arrayContaining(unmade))
    expect(unmade.filter((one) => kinds.includes(one))).toEqual([])
  })

  it.each(['_default', 'production', 'staging', 'review', 'acceptance', 'test', 'dev', 'local'])(
    'that nobody has turned makes no demo people, whose passwords are published: %s',
    async (env) => {
      const kinds = parseResources(await render({ global: { env } })).map(
        ({ kind, metadata }) => `${kind} ${metadata.name}`,
      )
      expect(kinds).toContain('Deployment server')
      expect(kinds).not.toContain('Job fixtures')
    },
  )

  it('of network policies removes all of them', async () => {
    expect((await kindsOf('no environment')).filter((one) => one.startsWith('NetworkPolicy')).length).toBeGreaterThan(5)
    expect((await kindsOf('no network policies')).filter((one) => one.startsWith('NetworkPolicy'))).toEqual([])
  })

  it.each([
    ['a registry Secret made outside', 'outside-registry'],
    ['a registry Secret from a Docker config', 'registry'],
  ])('%s lets every pod of ours pull with it', async (name, secret) => {
    const resources = parseResources(await render(cases[name]))
    const accounts = named(resources, 'ServiceAccount') as (Resource & { imagePullSecrets?: { name: string }[] })[]
    for (const { name: workload, pod } of workloadsOf(resources)) {
      if (!pod.spec.containers.some(({ image }) => image.startsWith('registry.example.com/'))) continue
      const account = accounts.find(({ metadata }) => metadata.name === pod.spec.serviceAccountName)
      expect(account?.imagePullSecrets, workload).toEqual([{ name: secret }])
    }
  })

  it('of an environment changes the values of that environment', async () => {
    const replicas = async (env: string) =>
      (
        named(parseResources(await render({ global: { env } })), 'Deployment').find(
          ({ metadata }) => metadata.name === 'server',
        )?.spec as { replicas: number }
      ).replicas
    expect(await Promise.all(['_default', 'production'].map(replicas))).toEqual([1, 3])
    const hosts = await Promise.all(
      ['review', 'review-feature-x', 'production'].map(
        async (env) =>
          ingressRoutes(named(parseResources(await render({ global: { env } })), 'Ingress')[0]?.spec).hosts,
      ),
    )
    expect(hosts[1]).toEqual(hosts[0])
    expect(hosts[1]).not.toEqual(hosts[2])
  })

  it('global.ci_url sets the host of a deployment', async () => {
    const [ingress] = named(parseResources(await render(cases['an address of its own'])), 'Ingress')
    expect(ingressRoutes(ingress?.spec).hosts).toEqual(['feature-x.example.com'])
  })
})

function ingressRoutes(spec: unknown): { hosts: string[]; routes: { path: string; backend: Backend }[] } {
  const { rules } = spec as {
    rules: {
      host: string
      http: {
        paths: {
          path: string
          pathType: string
          backend: { service: { name: string; port: { name?: string; number?: number } } }
        }[]
      }
    }[]
  }
  return {
    hosts: rules.map(({ host }) => host),
    // Each Service of the two has one port, named http.
    routes: rules.flatMap(({ http }) =>
      http.paths.map(({ path, backend: { service } }) => ({
        path,
        backend: { name: service.name, port: service.port.name === 'http' ? 80 : (service.port.number ?? 0) },
      })),
    ),
  }
}

function httpRoutes(spec: unknown): { hosts: string[]; routes: { path: string; backend: Backend }[] } {
  const { hostnames, rules } = spec as {
    hostnames: string[]
    rules: { matches: { path: { value: string } }[]; backendRefs: Backend[] }[]
  }
  return {
    hosts: hostnames,
    routes: rules.flatMap(({ matches, backendRefs }) =>
      matches.flatMap(({ path }) => backendRefs.map((backend) => ({ path: path.value, backend }))),
    ),
  }
}
