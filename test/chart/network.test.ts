import { describe, expect, it } from 'vitest'
import {
  isAllowed,
  type Endpoint,
  type Namespace,
  type NetworkPolicy,
  type Port,
} from './kubernetes/network-policies.js'
import { containersOf } from './kubernetes/pods.js'
import { builtIn, cases, everythingBuiltIn, everythingOutside, mailgun, outside } from './cases.js'
import { parseResources, render, workloadsOf } from './chart.js'

const namespace = (name: string): Namespace => ({ name, labels: { 'kubernetes.io/metadata.name': name } })
const home = namespace('chat')
const pod = (ip: string, where: string, app: string): Endpoint => ({
  ip,
  namespace: namespace(where),
  labels: { 'app.kubernetes.io/name': app },
})
/** Endpoints outside the release. Some are in its namespace, so the policies apply to them too. */
const others: Record<string, Endpoint> = {
  world: { ip: '203.0.113.7' },
  ingress: pod('10.244.1.1', 'ingress-nginx', 'ingress-nginx'),
  prometheus: pod('10.244.1.2', 'monitoring', 'prometheus'),
  // Has the labels of a pod of the release, but is in another namespace.
  stranger: pod('10.244.1.3', 'elsewhere', 'server'),
  neighbour: pod('10.244.1.4', 'chat', 'neighbour'),
  // A pod of cert-manager, in this namespace while a certificate is made.
  solver: { ...pod('10.244.1.6', 'chat', ''), labels: { 'acme.cert-manager.io/http01-solver': 'true' } },
  dns: { ...pod('10.244.1.5', 'kube-system', 'coredns'), labels: { 'k8s-app': 'kube-dns' } },
  'dns-of-the-node': { ip: '169.254.20.10' },
}
const tcp = (port: number): Port => ({ port, protocol: 'TCP' })
/** The ports to try at each endpoint: all that an endpoint listens on, and some other common ones. */
const ports = [22, 53, 80, 443, 4369, 5432, 5671, 5672, 6379, 7070, 8080, 8081, 8089, 9000, 9464, 15672, 25672]
  .map(tcp)
  .concat({ port: 53, protocol: 'UDP' })

const everybody = ['world', 'ingress', 'prometheus', 'stranger', 'dns', 'dns-of-the-node']
const ours = [
  'server',
  'worker',
  'postgres',
  'redis',
  'rabbitmq',
  's3',
  'migrations',
  'bucket',
  'fixtures',
  'acceptance',
  'upkeep',
  'doctor',
  'neighbour',
  'solver',
]
const dns = ['dns:53', 'dns:53/UDP', 'dns-of-the-node:53', 'dns-of-the-node:53/UDP']

/** The connections that the chat needs: from, to, port. */
type Flows = Record<string, string[]>
const postgres = ['postgres:5432']
const inside: Flows = {
  server: [...postgres, 'redis:6379', 's3:7070'],
  worker: [...postgres, 'redis:6379', 'rabbitmq:5672'],
  migrations: postgres,
  fixtures: postgres,
  upkeep: postgres,
  acceptance: [...postgres, 'server:8080', 'server:8081'],
  bucket: ['s3:7070'],
  doctor: [...postgres, 'redis:6379', 'rabbitmq:5672', 's3:7070', 'server:8080'],
}
/** Mailgun has a public IP address; pods have private ones. */
const mailgunAt443 = ['world:443', 'dns-of-the-node:443']
const visitors = Object.fromEntries(everybody.map((who) => [who, ['server:8080', 'server:8081']]))

/** With a service outside, which may have any IP address; pods of the release still refuse connections from it. */
function without(flows: Flows, service: string, port: number): Flows {
  const isIts = (to: string) => to.startsWith(`${service}:`)
  return Object.fromEntries(
    Object.entries(flows).map(([who, all]) => [
      who,
      all.flatMap((to) => (isIts(to) ? everybody.map((whom) => `${whom}:${port}`) : to)),
    ]),
  )
}

/** Without services, and without the pods that only they need. */
function notTo(flows: Flows, ...services: string[]): Flows {
  const gone = services.flatMap((service) => ({ s3: ['bucket'], rabbitmq: ['worker'] })[service] ?? [])
  const kept = Object.entries(flows).filter(([who]) => !gone.includes(who))
  return Object.fromEntries(
    kept.map(([who, all]) => [who, all.filter((to) => !services.includes(to.split(':')[0] ?? ''))]),
  )
}

const withoutPort = (flows: Flows, port: string): Flows =>
  Object.fromEntries(Object.entries(flows).map(([who, all]) => [who, all.filter((to) => to !== port)]))

describe.each<[string, object, Flows]>([
  ['as it comes', {}, { ...inside, ...visitors }],
  [
    'between known neighbours',
    { networkPolicies: { ingressNamespace: 'ingress-nginx', metricsNamespace: 'monitoring' } },
    { ...inside, ingress: ['server:8080', 'server:8081'], prometheus: ['server:9464', 'worker:9464'] },
  ],
  [
    'with certificates by cert-manager',
    cases.TLS ?? {},
    { ...inside, ...Object.fromEntries(everybody.map((who) => [who, ['server:8080', 'server:8081', 'solver:8089']])) },
  ],
  [
    'with Mailgun',
    mailgun,
    {
      ...inside,
      ...visitors,
      worker: [...(inside.worker ?? []), ...mailgunAt443],
      doctor: [...(inside.doctor ?? []), ...mailgunAt443],
    },
  ],
  ['with a postgres outside', outside.postgres, { ...without(inside, 'postgres', 5432), ...visitors }],
  ['with a redis outside', outside.redis, { ...without(inside, 'redis', 6379), ...visitors }],
  [
    'with a rabbitmq outside, by TLS',
    { ...outside.rabbitmq, networkPolicies: { external: { rabbitmq: 5671 } } },
    { ...without(inside, 'rabbitmq', 5671), ...visitors },
  ],
  ['with an S3 outside', outside.s3, { ...without(inside, 's3', 443), ...visitors }],
  [
    'with an S3 outside, at a port of its own',
    { ...outside.s3, app: { s3: { ...outside.s3.app.s3, port: { _default: 9000 } } } },
    { ...without(inside, 's3', 9000), ...visitors },
  ],
  ['with assets built in', builtIn.assets, withoutPort({ ...inside, ...visitors }, 'server:8081')],
  ['with storage built in', builtIn.storage, { ...notTo(inside, 's3'), ...visitors }],
  ['with sessions built in', builtIn.sessions, { ...notTo(inside, 'redis'), ...visitors }],
  ['with the bus built in', builtIn.bus, { ...notTo(inside, 'rabbitmq'), ...visitors }],
  [
    'with everything built in, and Mailgun',
    { ...everythingBuiltIn, ...mailgun },
    withoutPort(
      {
        ...notTo(inside, 's3', 'redis', 'rabbitmq'),
        ...visitors,
        server: [...postgres, ...mailgunAt443],
        doctor: [...postgres, 'server:8080', ...mailgunAt443],
      },
      'server:8081',
    ),
  ],
  [
    'with every service outside',
    everythingOutside,
    {
      ...without(without(without(without(inside, 'postgres', 5432), 'redis', 6379), 'rabbitmq', 5672), 's3', 443),
      ...visitors,
    },
  ],
])('the network of the chart, %s,', (_, values, needed) => {
  it('allows the connections that are needed, and no others', async () => {
    const { policies, endpoints } = await network(values)
    expect(flowsOf(policies, endpoints)).toEqual(expected(needed, Object.keys(endpoints)))
  })
})

/** A client that may write to Redis can sign in as any account, because sessions are stored there. */
describe('the Redis of the chart', () => {
  const protectedCases = Object.entries(cases).filter(([name]) => name !== 'no network policies')

  it.concurrent.each(protectedCases)(
    'accepts connections from servers, workers and the doctor only, and makes none: %s',
    async (_, values) => {
      const { policies, endpoints } = await network(values)
      const flows = flowsOf(policies, endpoints).filter((flow) => !flow.includes(' → dns'))
      const present = ['doctor', 'server', 'worker'].filter((name) => name in endpoints)
      const isUsed = 'redis' in endpoints
      expect(flows.filter((flow) => flow.includes(' → redis:'))).toEqual(
        isUsed ? present.map((name) => `${name} → redis:6379`) : [],
      )
      expect(flows.filter((flow) => flow.startsWith('redis → '))).toEqual([])
    },
  )
})

describe('the network of the chart without policies', () => {
  it('allows every connection', async () => {
    const { policies, endpoints } = await network({ networkPolicies: { enabled: false } })
    expect(policies).toEqual([])
    expect(isAllowed(policies, others.world as Endpoint, endpoints.postgres as Endpoint, tcp(5432))).toBe(true)
  })
})

/** The policies and all endpoints, with the pods of the acceptance test and the fixtures. */
async function network(values: object): Promise<{ policies: NetworkPolicy[]; endpoints: Record<string, Endpoint> }> {
  const resources = parseResources(await render({ ...values, ...cases['the acceptance test'], ...cases.fixtures }))
  const policies = resources
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map((policy) => ({ ...policy, metadata: { ...policy.metadata, namespace: home.name } }) as NetworkPolicy)
  const workloads = workloadsOf(resources).map(({ name, labels, pod: { spec } }, index) => {
    const named = containersOf(spec).flatMap(({ ports: own = [] }) =>
      own.map(({ name: port = '', containerPort }) => [port, containerPort] as const),
    )
    return [name, { ip: `10.244.0.${index + 1}`, namespace: home, labels, ports: Object.fromEntries(named) }] as const
  })
  return { policies, endpoints: { ...Object.fromEntries(workloads), ...others } }
}

/** Every allowed connection from or to the release: "from → to:port". */
function flowsOf(policies: NetworkPolicy[], endpoints: Record<string, Endpoint>): string[] {
  const isOurs = (endpoint: Endpoint) => endpoint.namespace?.name === home.name
  const pairs = Object.entries(endpoints).flatMap(([who, from]) =>
    Object.entries(endpoints).map(([whom, to]) => ({ who, from, whom, to })),
  )
  return pairs
    .filter(({ from, to }) => isOurs(from) || isOurs(to))
    .flatMap(({ who, from, whom, to }) =>
      ports
        .filter((port) => isAllowed(policies, from, to, port))
        .map(({ port, protocol }) => `${who} → ${whom}:${port}${protocol === 'UDP' ? '/UDP' : ''}`),
    )
    .sort()
}

/** The table in the form of flowsOf. Every pod of the release may query DNS. */
function expected(needed: Flows, present: string[]): string[] {
  const asking = Object.fromEntries(ours.filter((who) => present.includes(who)).map((who) => [who, dns]))
  return [needed, asking]
    .flatMap((flows) => Object.entries(flows).flatMap(([who, all]) => all.map((to) => `${who} → ${to}`)))
    .sort()
}
