import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { conform, minors, parseResources, render, workloadsOf } from './chart.js'
import { read, root } from './werf-config.js'

const small = ['StatefulSet postgres', 'Deployment server', 'Job migrations', 'CronJob doctor']
const withFiles = [...small, 'StatefulSet s3', 'Job bucket']
const withRedis = [...withFiles, 'StatefulSet redis']
const withWorker = [...withRedis, 'Job fixtures', 'StatefulSet rabbitmq', 'Deployment worker']

/** How far the system has come with each chapter: what runs, and what is special about it. */
const states: Record<string, { runs: string[]; has: string[]; lacks: string[] }> = {
  '01-hello-world': { runs: small, has: ['PersistentVolumeClaim server'], lacks: ['Ingress', 'container web', 'Mailgun', 'volume of postgres'] },
  '02-local-build': { runs: small, has: ['PersistentVolumeClaim server'], lacks: ['Ingress', 'container web', 'Mailgun', 'volume of postgres'] },
  '03-ci': { runs: small, has: ['PersistentVolumeClaim server'], lacks: ['Ingress', 'container web', 'Mailgun', 'volume of postgres'] },
  '04-deploy': { runs: small, has: ['PersistentVolumeClaim server', 'Ingress'], lacks: ['container web', 'Mailgun', 'volume of postgres'] },
  '05-dependencies': { runs: small, has: ['PersistentVolumeClaim server', 'Ingress'], lacks: ['container web', 'Mailgun', 'volume of postgres'] },
  '06-assets': { runs: small, has: ['PersistentVolumeClaim server', 'Ingress', 'container web'], lacks: ['Mailgun', 'volume of postgres'] },
  '07-files': { runs: withFiles, has: ['Ingress', 'container web'], lacks: ['PersistentVolumeClaim server', 'Mailgun', 'volume of postgres'] },
  '08-e-mail': { runs: withFiles, has: ['Ingress', 'container web', 'Mailgun'], lacks: ['two servers', 'volume of postgres'] },
  '09-redis': { runs: withRedis, has: ['Mailgun', 'two servers'], lacks: ['volume of postgres'] },
  '10-database': { runs: withRedis, has: ['Mailgun', 'two servers', 'volume of postgres'], lacks: [] },
  '11-fixtures': { runs: [...withRedis, 'Job fixtures'], has: ['Mailgun', 'two servers', 'volume of postgres'], lacks: [] },
  '12-tests': { runs: [...withRedis, 'Job fixtures'], has: ['Mailgun', 'two servers', 'volume of postgres'], lacks: [] },
  '13-applications': { runs: withWorker, has: ['Mailgun', 'two servers', 'volume of postgres'], lacks: [] },
  '14-environments': { runs: withWorker, has: ['Mailgun', 'two servers', 'volume of postgres'], lacks: [] },
  '15-argo-cd': { runs: withWorker, has: ['Mailgun', 'two servers', 'volume of postgres'], lacks: [] },
  '16-scheduled-job': { runs: [...withWorker, 'CronJob upkeep'], has: ['Mailgun', 'two servers', 'volume of postgres'], lacks: [] },
}

const guide = join(root, 'docs/guide')
const chapters = readdirSync(guide, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []))
const valuesOf = (chapter: string) => parse(read(`docs/guide/${chapter}/values.yaml`)) as object
/** The one thing that a chapter does not commit. */
const key = ['--set', 'app.mailgun_apikey._default=key']
const renderChapter = (chapter: string) => render(valuesOf(chapter), chapter >= '08' ? key : [])

describe('the values of a chapter', () => {
  it('are there for each', () => {
    expect(chapters.sort()).toEqual(Object.keys(states))
  })

  it.concurrent.each(Object.entries(states))('deploy the system as far as %s has come', async (chapter, { runs, has, lacks }) => {
    const resources = parseResources(await renderChapter(chapter))
    const workloads = workloadsOf(resources)
    expect(workloads.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([...runs].sort())

    const server = workloads.find(({ name }) => name === 'server')
    const postgres = workloads.find(({ name }) => name === 'postgres')
    const found = [
      ...resources.map(({ kind, metadata }) => (kind === 'Ingress' ? kind : `${kind} ${metadata.name}`)),
      ...(server?.pod.spec.containers.map(({ name }) => `container ${name}`) ?? []),
      ...(server?.pod.spec.containers.some(({ env = [] }) => env.some(({ name }) => name === 'MAILGUN_DOMAIN')) ? ['Mailgun'] : []),
      ...(server?.replicas === 2 ? ['two servers'] : []),
      ...('volumeClaimTemplates' in (postgres?.resource.spec as object) ? ['volume of postgres'] : []),
    ]
    expect(found).toEqual(expect.arrayContaining(has))
    expect(lacks.filter((one) => found.includes(one))).toEqual([])
  })

  it.concurrent.each(chapters)('mean resources that Kubernetes knows: %s', async (chapter) => {
    for (const minor of minors) expect(await conform(minor, await renderChapter(chapter))).toEqual([])
  })
})
