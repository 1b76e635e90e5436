import { describe, expect, it } from 'vitest'
import { conform, minors } from './chart.js'

/** A valid Deployment with a change in its only container. */
function deployment(container: object = {}, spec: object = {}) {
  const labels = { app: 'cat' }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'cat' },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'cat', image: 'cat:1', ...container }] } },
      ...spec,
    },
  }
}
const route = (match: object) => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'cat' },
  spec: { rules: [{ matches: [match], backendRefs: [{ name: 'cat', port: 80 }] }] },
})

describe.each(minors)('the schemas of Kubernetes %s', (minor) => {
  it.each([
    ['a Deployment', deployment()],
    [
      'a port by name or by number',
      deployment({ livenessProbe: { httpGet: { port: 'http' } }, readinessProbe: { httpGet: { port: 8080 } } }),
    ],
    ['a quantity as text or as a number', deployment({ resources: { limits: { memory: '64Mi', cpu: 1 } } })],
    ['a list that a template has left empty', deployment({ env: null })],
    ['an HTTPRoute', route({ path: { type: 'PathPrefix', value: '/assets' } })],
  ])('accept %s', async (_, resource) => {
    expect(await conform(minor, JSON.stringify(resource))).toEqual([])
  })

  it.each([
    ['a misspelt field', deployment({}, { replica: 1 }), "'replica' not allowed"],
    [
      'a misspelt field deep inside',
      deployment({ securityContext: { runAsNotRoot: true } }),
      "'runAsNotRoot' not allowed",
    ],
    [
      'a misspelt field of the metadata',
      { ...deployment(), metadata: { name: 'cat', label: {} } },
      "'label' not allowed",
    ],
    ['a wrong type', deployment({}, { replicas: '1' }), 'want integer'],
    ['text where a list belongs', deployment({ args: '--quiet' }), 'want null or array'],
    ['a number where only text is allowed', deployment({ env: [{ name: 'PORT', value: 8080 }] }), 'want string'],
    ['a missing required field', deployment({ name: undefined }), "missing property 'name'"],
    ['a missing required list', deployment({}, { template: { spec: {} } }), "missing property 'containers'"],
    ['null where something is required', deployment({}, { template: { spec: { containers: null } } }), 'want array'],
    ['a kind of another group', { ...deployment(), apiVersion: 'batch/v1' }, 'could not find schema'],
    ['an unknown kind', { ...deployment(), kind: 'Deploy' }, 'could not find schema'],
    ['an HTTPRoute with a misspelt field', route({ path: { typ: 'Exact' } }), "'typ' not allowed"],
    ['an HTTPRoute with an impossible value', route({ path: { type: 'Prefix', value: '/' } }), 'value must be one of'],
    [
      'an HTTPRoute with a misspelt metadata field',
      { ...route({}), metadata: { name: 'cat', label: {} } },
      "'label' not allowed",
    ],
  ])('refuse %s', async (_, resource, message) => {
    expect((await conform(minor, JSON.stringify(resource))).join('\n')).toContain(message)
  })
})
