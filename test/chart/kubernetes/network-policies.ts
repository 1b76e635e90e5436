import { BlockList, isIPv6 } from 'node:net'

/** Computes which connections NetworkPolicies allow, as kubernetes.io/docs/concepts/services-networking/network-policies defines it. */

export type Labels = Record<string, string>

export interface Namespace {
  name: string
  labels: Labels
}

/** One end of a connection: a pod, or without a namespace an IP address outside the cluster. */
export interface Endpoint {
  ip: string
  namespace?: Namespace
  labels?: Labels
  /** Ports by the names that its containers give them. */
  ports?: Record<string, number>
}

export interface Port {
  port: number
  protocol: 'TCP' | 'UDP'
}

export interface NetworkPolicy {
  metadata: { name: string; namespace: string }
  spec: {
    podSelector?: Selector
    policyTypes?: Direction[]
    ingress?: { from?: Peer[] | null; ports?: PolicyPort[] | null }[] | null
    egress?: { to?: Peer[] | null; ports?: PolicyPort[] | null }[] | null
  }
}

export interface Selector {
  matchLabels?: Labels
  matchExpressions?: { key: string; operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'; values?: string[] }[]
}

type Direction = 'Ingress' | 'Egress'
interface Peer {
  podSelector?: Selector
  namespaceSelector?: Selector
  ipBlock?: { cidr: string; except?: string[] }
}
interface PolicyPort {
  protocol?: string
  port?: number | string
  endPort?: number
}

/**
 * Is this connection allowed? The egress rules of the sender and the ingress rules of the receiver must both allow it.
 * A block of IP addresses also matches pods in it, as in some networks, so that a policy is safe in all of them.
 */
export function isAllowed(policies: NetworkPolicy[], from: Endpoint, to: Endpoint, port: Port): boolean {
  return passes(policies, 'Egress', from, to, to, port) && passes(policies, 'Ingress', to, from, to, port)
}

/** A pod that no policy selects may connect freely. Otherwise one rule of one policy must allow the connection. */
function passes(
  policies: NetworkPolicy[],
  direction: Direction,
  subject: Endpoint,
  other: Endpoint,
  listener: Endpoint,
  port: Port,
): boolean {
  const own = policies.filter((policy) => typesOf(policy).includes(direction) && isSubject(policy, subject))
  if (own.length === 0) return true
  return own.some(({ metadata, spec }) => {
    const rules =
      direction === 'Ingress'
        ? spec.ingress?.map(({ from, ports }) => ({ peers: from, ports }))
        : spec.egress?.map(({ to, ports }) => ({ peers: to, ports }))
    return rules?.some(({ peers, ports }) => {
      // Without a list of peers or of ports, all of them are allowed.
      const isPeer = !peers?.length || peers.some((peer) => isMatch(peer, metadata.namespace, other))
      return isPeer && (!ports?.length || ports.some((allowed) => covers(allowed, port, listener)))
    })
  })
}

function typesOf({ spec }: NetworkPolicy): Direction[] {
  return spec.policyTypes ?? (spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'])
}

function isSubject({ metadata, spec }: NetworkPolicy, { namespace, labels = {} }: Endpoint): boolean {
  return namespace?.name === metadata.namespace && selects(spec.podSelector ?? {}, labels)
}

function isMatch(
  { ipBlock, namespaceSelector, podSelector }: Peer,
  home: string,
  { ip, namespace, labels = {} }: Endpoint,
): boolean {
  if (ipBlock !== undefined) return contains(ipBlock.cidr, ip) && !ipBlock.except?.some((block) => contains(block, ip))
  if (namespace === undefined) return false
  const isInNamespace =
    namespaceSelector === undefined ? namespace.name === home : selects(namespaceSelector, namespace.labels)
  return isInNamespace && selects(podSelector ?? {}, labels)
}

function covers(allowed: PolicyPort, { port, protocol }: Port, listener: Endpoint): boolean {
  if ((allowed.protocol ?? 'TCP') !== protocol) return false
  if (allowed.port === undefined) return true
  if (typeof allowed.port === 'string') return listener.ports?.[allowed.port] === port
  return port >= allowed.port && port <= (allowed.endPort ?? allowed.port)
}

/** Does a label selector match? An empty selector matches everything. */
export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key]
      if (operator === 'Exists') return value !== undefined
      if (operator === 'DoesNotExist') return value === undefined
      const isListed = value !== undefined && values.includes(value)
      return operator === 'In' ? isListed : !isListed
    })
  )
}

function contains(block: string, ip: string): boolean {
  const [address = '', bits] = block.split('/')
  const family = (of: string) => (isIPv6(of) ? 'ipv6' : 'ipv4')
  // Without this check Node finds every IPv4 address in a block of IPv6.
  if (family(address) !== family(ip)) return false
  const list = new BlockList()
  list.addSubnet(address, Number(bits), family(address))
  return list.check(ip, family(ip))
}
