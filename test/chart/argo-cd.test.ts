import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { run } from './kubernetes/run.js'
import { chartName, conform, minors, parseResources, renderAnew, workloadsOf } from './chart.js'
import { read, readWerfConfig } from './werf-config.js'

const argoCd = ['--api-versions', 'argoproj.io/v1alpha1']
const application = parse(read('.argocd/application.yaml')) as {
  metadata: { name: string }
  spec: {
    source: {
      repoURL: string
      chart: string
      targetRevision: string
      helm: { releaseName?: string; valuesObject: Record<string, object> }
    }
    destination: { namespace: string }
  }
}
const repository = parse(read('.argocd/repository.yaml')) as {
  metadata: { labels: Record<string, string> }
  stringData: Record<string, string>
}
const { source, destination } = application.spec
const values = source.helm.valuesObject

describe('the Application for Argo CD', () => {
  it('names the chart as the pipelines publish it', () => {
    const { project } = readWerfConfig('werf.yaml').meta
    // The name of a bundle for Helm is the last part of its repository, which is the name of the project.
    expect([source.chart, chartName]).toEqual([project, project])
    for (const pipeline of ['.gitlab-ci.yml', '.github/workflows/pipeline.yml']) {
      expect(read(pipeline)).toContain(
        'werf bundle publish --require-built-images --helm-compatible-chart --tag "${VERSION#v}"\n',
      )
    }
  })

  it('has exactly the URL in the Secret of the repository, without oci://', () => {
    expect(repository.stringData.url).toBe(source.repoURL)
    expect(source.repoURL).not.toContain('://')
    expect(repository.metadata.labels).toEqual({ 'argocd.argoproj.io/secret-type': 'repository' })
  })

  it.each<[string, 'followed' | 'left alone']>([
    ['v1.0.0', 'followed'],
    ['v1.0.1', 'followed'],
    ['v1.12.3', 'followed'],
    ['v1.3.0-rc.1', 'left alone'],
    ['v2.0.0-rc.1', 'left alone'],
    ['v2.0.0', 'left alone'],
    ['v0.9.0', 'left alone'],
    ['the default branch', 'left alone'],
  ])('lets what the pipelines publish of %s be %s', async (tag, expected) => {
    const { rules } = (
      parse(read('.gitlab-ci.yml'), { customTags: [{ tag: '!reference', collection: 'seq' }] }) as {
        workflow: Workflow
      }
    ).workflow
    const published = rules
      .filter((rule) => isFor(rule, tag))
      .map(({ variables = {} }) =>
        variables.VERSION?.replace('$CI_COMMIT_TAG', tag).replace('$CI_PIPELINE_IID', '12').replace(/^v/, ''),
      )
    expect(published).toHaveLength(1)
    expect(await isWithin(source.targetRevision, published[0] ?? '')).toBe(expected === 'followed')
  })

  it('has the name of the release and the namespace of the pipelines, so that it takes over their deployment', () => {
    const { name } = application.metadata
    expect([name, source.helm.releaseName ?? name, destination.namespace]).toEqual(
      Array(3).fill(`${chartName}-production`),
    )
  })

  // The chart refuses unknown values, and secrets in values together with a Secret of your own.
  it.each(minors)('sets only known values and no secret, for Kubernetes %s', async (minor) => {
    const text = await renderAnew(values, argoCd, minor)
    expect(await conform(minor, text)).toEqual([])
    expect(parseResources(text).filter(({ kind }) => kind === 'Secret')).toEqual([])
  })

  it('is not rendered without the Secret that it names', async () => {
    const { global, ...others } = values
    await expect(renderAnew({ ...others, global: { ...global, existingSecret: '' } }, argoCd)).rejects.toThrow(
      'global.existingSecret',
    )
  })

  it('needs to ignore no difference: with autoscaling the chart sets no number of replicas', async () => {
    expect(Object.keys(application.spec)).not.toContain('ignoreDifferences')
    const serverWith = async (more: object) => {
      const workloads = workloadsOf(parseResources(await renderAnew({ ...values, ...more }, argoCd)))
      return workloads.find(({ name }) => name === 'server')?.resource.spec
    }
    expect(await serverWith({})).toHaveProperty('replicas', 3)
    expect(await serverWith({ server: { autoscaling: { enabled: true } } })).not.toHaveProperty('replicas')
  })
})

describe('the repository’s Secret for Argo CD', () => {
  it('describes a chart in a registry, and contains no password', async () => {
    expect(repository.stringData).toEqual({ name: chartName, type: 'helm', url: source.repoURL, enableOCI: 'true' })
    expect(await conform('1.34', read('.argocd/repository.yaml'))).toEqual([])
  })
})

interface Workflow {
  rules: { if: string; variables?: Record<string, string> }[]
}

/** Whether a rule of the pipelines publishes for this tag, or for the default branch. */
function isFor({ if: condition, variables }: Workflow['rules'][number], tag: string): boolean {
  if (variables?.VERSION === undefined) return false
  const pattern = /^\$CI_COMMIT_TAG =~ \/(.+)\/$/.exec(condition)?.[1]
  return pattern === undefined
    ? condition === '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH' && !tag.startsWith('v')
    : new RegExp(pattern).test(tag)
}

/** Asks Helm, which reads ranges by the same library as Argo CD: a dependency on a chart that is there in this version. */
async function isWithin(range: string, version: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-range-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'charts/bundle'), { recursive: true })
  writeFileSync(join(folder, 'charts/bundle/Chart.yaml'), JSON.stringify({ apiVersion: 'v2', name: 'bundle', version }))
  const dependencies = [{ name: 'bundle', version: range }]
  writeFileSync(
    join(folder, 'Chart.yaml'),
    JSON.stringify({ apiVersion: 'v2', name: 'range', version: '1.0.0', dependencies }),
  )
  const { stdout } = await run(inject('helm'), ['dependency', 'list', folder])
  const status = stdout
    .split('\n')[1]
    ?.trim()
    .split(/\t|\s{2,}/)
    .at(-1)
    ?.trim()
  if (status !== 'unpacked' && status !== 'wrong version') throw new Error(stdout)
  return status === 'unpacked'
}
