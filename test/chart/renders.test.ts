import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { cases } from './cases.js'
import { conform, helm, kubeVersion, minors, parseResources, render, renderAnew } from './chart.js'

describe.concurrent.each(Object.entries(cases))('the chart with %s', (_, values) => {
  const text = render(values)

  it('passes helm lint', async () => {
    const { code, stdout, stderr } = await helm('lint', values)
    expect(code, stdout + stderr).toBe(0)
  })

  it.each(minors)('is accepted by the schemas of Kubernetes %s', async (minor) => {
    expect(await conform(minor, await text)).toEqual([])
  })

  it('has each key and each resource once', async () => {
    expect(parseAllDocuments(await text, { version: '1.1' }).flatMap(({ errors }) => errors)).toEqual([])
    const names = parseResources(await text).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(names).toEqual([...new Set(names)])
  })
})

it.each(minors)('the chart renders for Kubernetes %s', async (minor) => {
  expect(await conform(minor, await renderAnew({}, [], minor))).toEqual([])
})

it('the chart requires no newer Kubernetes than the oldest that it is tested with', () => {
  expect([undefined, `>=${minors[0]}.0-0`]).toContain(kubeVersion)
})
