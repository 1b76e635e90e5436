import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cases } from '../chart/cases.js'
import { chart, images } from '../chart/chart.js'
import { run } from './commands.js'
import { createNamespace, type Namespace } from './namespace.js'

describe('the API server of the cluster', () => {
  let namespace: Namespace
  let version: string

  beforeAll(async () => {
    const { serverVersion } = JSON.parse((await run('kubectl', ['version', '-o', 'json'])).stdout) as {
      serverVersion: { gitVersion: string }
    }
    version = serverVersion.gitVersion
    namespace = await createNamespace(mkdtempSync(join(tmpdir(), 'chat-cluster-')))
  })
  afterAll(() => namespace?.remove())

  const dryRun = async (resources: string) =>
    (
      await run(
        'kubectl',
        ['apply', '--namespace', namespace.name, '--dry-run=server', '--validate=strict', '-f', '-'],
        { input: resources },
      )
    ).stderr

  it('refuses a misspelt field, and a pod with too many rights', async () => {
    const pod = (field: string) =>
      `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: x, ${field}: x}]}}`
    await expect(dryRun(pod('imgae'))).rejects.toThrow('unknown field "spec.containers[0].imgae"')
    await expect(dryRun(pod('image'))).rejects.toThrow('violates PodSecurity "restricted:latest"')
  })

  it.each(Object.keys(cases))(
    'has nothing against the chart with %s, under Pod Security “restricted”',
    async (name) => {
      const given = [
        '--namespace',
        namespace.name,
        '--kube-version',
        version,
        '--set-json',
        `global.werf.images=${JSON.stringify(images)}`,
        '--values',
        '-',
      ]
      const { stdout: resources } = await run('helm', ['template', 'chat', chart, ...given], {
        input: JSON.stringify(cases[name]),
      })
      expect(await dryRun(resources)).toBe('')
    },
  )
})
