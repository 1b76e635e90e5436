import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { run } from './kubernetes/run.js'
import { chart, images, parseResources, workloadsOf } from './chart.js'
import { files, read } from './werf-config.js'

it('is one version in the repository', () => {
  const packages = files
    .filter((file) => /^(apps\/\w+\/)?package\.json$/.test(file))
    .map((file) => (JSON.parse(read(file)) as { version: string }).version)
  const [, version = ''] = /^version: (\S+)$/m.exec(read('.helm/Chart.yaml')) ?? []
  expect(new Set([version, ...packages])).toEqual(new Set([version]))
})

it('of a bundle is in labels and pods, and changes nothing else', async () => {
  // `werf bundle publish --tag` and `helm package --version` write this, and no appVersion.
  const bundle = mkdtempSync(join(tmpdir(), 'chat-bundle-'))
  cpSync(chart, bundle, { recursive: true })
  const file = join(bundle, 'Chart.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^version: .*/m, 'version: 1.0.2'))
  const { stdout, stderr } = await run(inject('helm'), [
    'template',
    'chat',
    bundle,
    '--set',
    'global.env=local',
    '--set-json',
    `global.werf.images=${JSON.stringify(images)}`,
  ])
  rmSync(bundle, { recursive: true })
  expect(stderr).toBe('')

  const resources = parseResources(stdout)
  // A service has the version of its software, and is not replaced with each release.
  const services = ['postgres', 'redis', 'rabbitmq', 's3']
  const ours = resources.filter(
    ({ kind, metadata }) =>
      kind === 'NetworkPolicy' || !services.includes(metadata.labels?.['app.kubernetes.io/name'] ?? ''),
  )
  expect(ours.length).toBeGreaterThan(20)
  expect(
    ours
      .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/version'] !== '1.0.2')
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`),
  ).toEqual([])
  const told = workloadsOf(resources).flatMap(({ name, pod }) =>
    pod.spec.containers.flatMap(({ env = [] }) =>
      env.filter((one) => one.name === 'APP_VERSION').map(({ value }) => `${name} ${value}`),
    ),
  )
  expect(told).toEqual(expect.arrayContaining(['server 1.0.2', 'worker 1.0.2', 'migrations 1.0.2']))
})
