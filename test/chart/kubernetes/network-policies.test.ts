import { describe, expect, it } from 'vitest'
import {
  isAllowed,
  type Endpoint,
  type Labels,
  type Namespace,
  type NetworkPolicy,
  type Port,
} from './network-policies.js'

const home: Namespace = { name: 'home', labels: { team: 'a' } }
const away: Namespace = { name: 'away', labels: { team: 'b' } }
const pod = (labels: Labels, namespace = home): Endpoint => ({
  ip: '10.0.0.1',
  namespace,
  labels,
  ports: { http: 8080 },
})
const world: Endpoint = { ip: '203.0.113.7' }
const [cat, dog, stranger] = [pod({ app: 'cat' }), pod({ app: 'dog' }), pod({ app: 'dog' }, away)]
const http: Port = { port: 8080, protocol: 'TCP' }

const policy = (spec: NetworkPolicy['spec'], namespace = 'home'): NetworkPolicy => ({
  metadata: { name: 'p', namespace },
  spec,
})
const catFrom = (from: NonNullable<NetworkPolicy['spec']['ingress']>[number]['from']) =>
  policy({ podSelector: { matchLabels: { app: 'cat' } }, ingress: [{ from }] })
const catPorts = (...ports: object[]) => policy({ podSelector: { matchLabels: { app: 'cat' } }, ingress: [{ ports }] })

describe('the rules of network policies', () => {
  it('allow every connection when there is no policy', () => {
    expect(isAllowed([], dog, cat, http)).toBe(true)
    expect(isAllowed([], world, cat, http)).toBe(true)
  })

  it('deny connections of the selected pods only', () => {
    const closed = policy({ podSelector: { matchLabels: { app: 'cat' } }, policyTypes: ['Ingress'] })
    expect(isAllowed([closed], dog, cat, http)).toBe(false)
    expect(isAllowed([closed], cat, dog, http)).toBe(true)
    expect(isAllowed([policy(closed.spec, 'away')], dog, cat, http)).toBe(true)
  })

  it('select every pod of the namespace with an empty selector', () => {
    const closed = [policy({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] })]
    expect(isAllowed(closed, dog, cat, http)).toBe(false)
    expect(isAllowed(closed, cat, world, http)).toBe(false)
    expect(isAllowed(closed, stranger, world, http)).toBe(true)
  })

  it('allow what any of several policies allows', () => {
    const closed = policy({ podSelector: {} })
    const open = catFrom([{ podSelector: { matchLabels: { app: 'dog' } } }])
    expect(isAllowed([closed], dog, cat, http)).toBe(false)
    expect(isAllowed([closed, open], dog, cat, http)).toBe(true)
    expect(isAllowed([closed, open], cat, dog, http)).toBe(false)
  })

  it('must allow a connection at both ends', () => {
    const egress = policy({
      podSelector: { matchLabels: { app: 'dog' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: { matchLabels: { app: 'cat' } } }] }],
    })
    expect(isAllowed([egress], dog, cat, http)).toBe(true)
    expect(isAllowed([egress], dog, world, http)).toBe(false)
    expect(isAllowed([egress, policy({ podSelector: { matchLabels: { app: 'cat' } } })], dog, cat, http)).toBe(false)
  })

  it('are about ingress without policyTypes, and about egress if there is such a rule', () => {
    expect(isAllowed([policy({ podSelector: {} })], cat, world, http)).toBe(true)
    const toPort53 = policy({ podSelector: {}, egress: [{ ports: [{ port: 53 }] }] })
    expect(isAllowed([toPort53], cat, world, http)).toBe(false)
    expect(isAllowed([toPort53], cat, world, { port: 53, protocol: 'TCP' })).toBe(true)
    expect(isAllowed([toPort53], stranger, cat, http)).toBe(false)
  })

  it('allow every sender with a missing or empty "from", and every connection with an empty rule', () => {
    for (const rule of [catFrom(undefined), catFrom([]), policy({ podSelector: {}, ingress: [{}] })]) {
      for (const from of [dog, stranger, world]) expect(isAllowed([rule], from, cat, http)).toBe(true)
    }
  })

  it('select pods in their own namespace only, unless they select namespaces', () => {
    const dogs = { podSelector: { matchLabels: { app: 'dog' } } }
    expect(isAllowed([catFrom([dogs])], stranger, cat, http)).toBe(false)
    expect(isAllowed([catFrom([{ ...dogs, namespaceSelector: {} }])], stranger, cat, http)).toBe(true)
    expect(isAllowed([catFrom([{ ...dogs, namespaceSelector: {} }])], dog, cat, http)).toBe(true)
  })

  it('distinguish "these pods in those namespaces" from "these pods, or those namespaces"', () => {
    const podSelector = { matchLabels: { app: 'cat' } }
    const namespaceSelector = { matchLabels: { team: 'b' } }
    const both = catFrom([{ podSelector, namespaceSelector }])
    const either = catFrom([{ podSelector }, { namespaceSelector }])
    expect(isAllowed([both], stranger, cat, http)).toBe(false)
    expect(isAllowed([both], cat, cat, http)).toBe(false)
    expect(isAllowed([both], pod({ app: 'cat' }, away), cat, http)).toBe(true)
    expect(isAllowed([either], stranger, cat, http)).toBe(true)
    expect(isAllowed([either], cat, cat, http)).toBe(true)
  })

  it('select no address outside the cluster by selectors', () => {
    expect(isAllowed([catFrom([{ podSelector: {} }, { namespaceSelector: {} }])], world, cat, http)).toBe(false)
  })

  it('know blocks of IP addresses and their exceptions', () => {
    expect(isAllowed([catFrom([{ ipBlock: { cidr: '203.0.113.0/24' } }])], world, cat, http)).toBe(true)
    expect(
      isAllowed([catFrom([{ ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.0/28'] } }])], world, cat, http),
    ).toBe(false)
    expect(isAllowed([catFrom([{ ipBlock: { cidr: '198.51.100.0/24' } }])], world, cat, http)).toBe(false)
    expect(isAllowed([catFrom([{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }])], dog, cat, http)).toBe(
      false,
    )
    expect(isAllowed([catFrom([{ ipBlock: { cidr: '2001:db8::/32' } }])], { ip: '2001:db8::7' }, cat, http)).toBe(true)
    expect(isAllowed([catFrom([{ ipBlock: { cidr: '0.0.0.0/0' } }])], { ip: '2001:db8::7' }, cat, http)).toBe(false)
    expect(isAllowed([catFrom([{ ipBlock: { cidr: '::/0' } }])], world, cat, http)).toBe(false)
  })

  it('know ports by number, by name, by range and by protocol', () => {
    const at = (port: number, protocol: Port['protocol'] = 'TCP') => ({ port, protocol })
    expect(isAllowed([catPorts({ port: 8080 })], dog, cat, at(8080))).toBe(true)
    expect(isAllowed([catPorts({ port: 8080 })], dog, cat, at(8081))).toBe(false)
    expect(isAllowed([catPorts({ port: 8080 })], dog, cat, at(8080, 'UDP'))).toBe(false)
    expect(isAllowed([catPorts({ port: 53, protocol: 'UDP' })], dog, cat, at(53, 'UDP'))).toBe(true)
    expect(isAllowed([catPorts({ port: 'http' })], dog, cat, at(8080))).toBe(true)
    expect(isAllowed([catPorts({ port: 'http' })], dog, cat, at(8081))).toBe(false)
    expect(isAllowed([catPorts({ port: 'metrics' })], dog, cat, at(8080))).toBe(false)
    expect(isAllowed([catPorts({ port: 8000, endPort: 8080 })], dog, cat, at(8042))).toBe(true)
    expect(isAllowed([catPorts({ port: 8000, endPort: 8080 })], dog, cat, at(8081))).toBe(false)
    expect(isAllowed([catPorts({ protocol: 'TCP' })], dog, cat, at(1))).toBe(true)
    expect(isAllowed([catPorts({ port: 9464 }, { port: 8080 })], dog, cat, at(8080))).toBe(true)
  })

  it('combine peers and ports only within one rule', () => {
    const two = policy({
      podSelector: { matchLabels: { app: 'cat' } },
      ingress: [
        { from: [{ podSelector: { matchLabels: { app: 'dog' } } }], ports: [{ port: 9464 }] },
        { from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }], ports: [{ port: 8080 }] },
      ],
    })
    expect(isAllowed([two], dog, cat, http)).toBe(false)
    expect(isAllowed([two], stranger, cat, http)).toBe(true)
  })

  it('look up the name of a port at the receiver, also for egress', () => {
    const egress = policy({ podSelector: { matchLabels: { app: 'dog' } }, egress: [{ ports: [{ port: 'http' }] }] })
    expect(isAllowed([egress], { ...dog, ports: {} }, cat, http)).toBe(true)
    expect(isAllowed([egress], dog, { ...cat, ports: {} }, http)).toBe(false)
  })

  it('know expressions in selectors', () => {
    const dogs = (operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', values?: string[]) =>
      isAllowed([catFrom([{ podSelector: { matchExpressions: [{ key: 'app', operator, values }] } }])], dog, cat, http)
    expect([dogs('In', ['dog']), dogs('NotIn', ['dog']), dogs('Exists'), dogs('DoesNotExist')]).toEqual([
      true,
      false,
      true,
      false,
    ])
  })
})
