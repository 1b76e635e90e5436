import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Room } from '../../apps/server/src/contract.js'
import { createApplication, isAt, whatIsMissing } from './argo-cd.js'
import { createPublisher, type Publisher } from './bundles.js'
import { run, until } from './commands.js'
import { createNamespace, type Namespace } from './namespace.js'
import { Person, type Address } from './people.js'
import { readSurroundings } from './surroundings.js'
import { brokenTable, makeVersions } from './versions.js'
import { Crowd } from './watchers.js'

const surroundings = readSurroundings(process.env)
// Argo CD takes no chart from a registry over plain HTTP, so the registry must also be reachable over TLS.
const registry = process.env.REGISTRY_TLS ?? surroundings.registry.replace(/:\d+$/, ':5443')

const missing = await whatIsMissing()
if (missing === undefined) {
  describe('the chat, delivered by Argo CD from the bundles in the registry', life)
} else {
  // A test that passes, because a skipped test would count as a failure.
  it(`the delivery by Argo CD is not tried: ${missing}`, () => expect(missing).not.toBe(''))
}

/** Each test needs the tests before it. */
function life() {
  let namespace: Namespace
  let publisher: Publisher
  let versions: Awaited<ReturnType<typeof makeVersions>>
  let application: Awaited<ReturnType<typeof createApplication>>
  let address: Address
  let ann: Person
  let ben: Person
  let crowd: Crowd

  beforeAll(async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'chat-argo-cd-'))
    namespace = await createNamespace(scratch)
    address = { host: surroundings.hostIn(namespace.name), ingress: surroundings.ingress }
    versions = await makeVersions(scratch)
    publisher = createPublisher(surroundings, namespace.name, scratch)
  })
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return
    process.stdout.write(
      `\n${await application?.describe().catch(String)}\n${await namespace.describe().catch(String)}\n`,
    )
  })
  afterAll(async () => {
    for (const person of [ann, ben, crowd]) person?.leave()
    await application?.cleanUp()
    await namespace?.remove()
  })

  it('is deployed to a namespace that Argo CD makes, under Pod Security “restricted”, when its secrets exist', async () => {
    await publisher.build(versions.first)
    await publisher.publish(versions.first, '1.0.0')
    await run('kubectl', ['delete', 'namespace', namespace.name])
    application = await createApplication({
      namespace: namespace.name,
      repository: `${registry}/${namespace.name}`,
      host: address.host,
    })
    const labels = async () =>
      JSON.parse(
        await namespace.kubectl('get', 'namespace', namespace.name, '-o', 'jsonpath={.metadata.labels}'),
      ) as object
    await until('the namespace', async () =>
      expect(await labels()).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' }),
    )
    await makeSecrets()
    // An Application is healthy only when its Ingress has an address, and some controllers of test clusters set none.
    const patch = JSON.stringify({ status: { loadBalancer: { ingress: [{ hostname: address.host }] } } })
    await until('the Ingress', () =>
      namespace.kubectl('patch', 'ingress', 'chat', '--subresource=status', '--type=merge', '--patch', patch),
    )
    await application.reaches('at 1.0.0', isAt('1.0.0'))
    await namespace.ready('server', 3)
    await namespace.ready('worker', 2)
    expect(await namespace.kubectl('get', 'events', '-o', 'jsonpath={.items[*].message}')).not.toMatch(
      /violates PodSecurity/,
    )
  })

  it('lets two people talk', async () => {
    ;[ann, ben] = await Promise.all([Person.signUp(address, 'Ann'), Person.signUp(address, 'Ben')])
    const room = await ann.ask<Room>('POST', '/api/rooms', { name: 'Garden', kind: 'public' })
    for (const person of [ann, ben]) {
      await person.enter(room)
      await person.connect()
    }
    await ann.post('Hello Ben!')
    await ben.post('Hello Ann!')
    for (const { screen } of [ann, ben]) {
      const words = () => screen.map(({ body }) => body)
      await until('both messages on both screens', () =>
        expect(words()).toEqual(expect.arrayContaining(['Hello Ben!', 'Hello Ann!'])),
      )
    }
  })

  it('ignores versions outside its range: the next major version, a candidate, a build of the default branch', async () => {
    await publisher.build(versions.second)
    for (const number of ['2.0.0', '1.1.0-rc.1', '0.0.12']) await publisher.publish(versions.second, number)
    await application.refresh()
    expect((await application.get()).status).toSatisfy(isAt('1.0.0'))
    expect(await migrations()).toHaveLength(1)
  })

  it('is updated to the next version in its range, without errors for people', async () => {
    const before = await namespace.pods('server')
    crowd = await Crowd.gather(address, 4)
    crowd.start()
    await publisher.publish(versions.second, '1.1.0')
    await application.refresh()
    await application.reaches('at 1.1.0', isAt('1.1.0'))
    await namespace.ready('server', 3, before)
    expect(await crowd.stop()).toEqual([])
    await crowd.seesEverythingOnce()
    // The Application itself was not changed.
    expect((await application.get()).spec).toEqual(application.spec)
  })

  it('has no resources that only the version before had', async () => {
    expect(await migrations()).toHaveLength(1)
  })

  it('is unchanged when a migration fails, and the Application names the failed Job', async () => {
    await publisher.build(versions.broken)
    const before = await namespace.pods('server')
    crowd.start()
    await publisher.publish(versions.broken, '1.1.1')
    await application.refresh()
    const { sync, health, operationState } = await application.reaches(
      'at its end',
      ({ operationState }) => operationState?.phase === 'Failed',
    )
    expect([sync, health]).toMatchObject([{ status: 'OutOfSync', revision: '1.1.1' }, { status: 'Degraded' }])
    expect(operationState?.syncResult?.revision).toBe('1.1.1')
    const job = operationState?.syncResult?.resources?.find(
      ({ kind, name }) => kind === 'Job' && name.startsWith('migrations-'),
    )
    expect(job).toMatchObject({ hookPhase: 'Failed', message: expect.stringMatching(/backoff limit/) as string })
    expect(await namespace.logsOf(`job/${job?.name}`)).toContain(brokenTable)
    expect(await crowd.stop()).toEqual([])
    await crowd.seesEverythingOnce()
    const ids = (pods: typeof before) => pods.map(({ metadata }) => metadata.uid).sort()
    expect(ids(await namespace.pods('server'))).toEqual(ids(before))
  })

  it('is healthy again with the next version', async () => {
    await publisher.publish(versions.second, '1.1.2')
    await application.refresh()
    await application.reaches('at 1.1.2', isAt('1.1.2'))
    await ann.post('Still here, Ben?')
    await until('the message on the other screen', () =>
      expect(ben.screen.map(({ body }) => body)).toContain('Still here, Ben?'),
    )
  })

  it('undoes changes that are made by hand', async () => {
    await namespace.kubectl('scale', 'deployment/server', '--replicas=1')
    const replicas = () => namespace.kubectl('get', 'deployment', 'server', '-o', 'jsonpath={.spec.replicas}')
    await until('three servers again', async () => expect(await replicas()).toBe('3'))
  })

  it('is removed with its Application, except the volumes and their secrets', async () => {
    for (const person of [ann, ben, crowd]) person.leave()
    await application.remove()
    const own = /^(configmap\/kube-root-ca\.crt|serviceaccount\/default)$/
    await until('only this to be left', async () =>
      expect((await namespace.everything()).filter((name) => !own.test(name))).toEqual([
        ...['postgres', 'rabbitmq', 'redis', 's3'].map((app) => `persistentvolumeclaim/data-${app}-0`),
        'secret/app-secrets',
        'secret/registrysecret',
      ]),
    )
  })

  /** The Secrets that the manifests name, made as docs/guide/15-argo-cd describes. */
  async function makeSecrets(): Promise<void> {
    const chart = [
      'template',
      namespace.name,
      `oci://${surroundings.registry}/${namespace.name}/chat`,
      '--plain-http',
      '--version',
      '1.0.0',
    ]
    const { stdout: secret } = await run('helm', [
      ...chart,
      '--set',
      'global.env=production',
      '--show-only',
      'templates/app-secrets.yaml',
    ])
    await run('kubectl', ['--namespace', namespace.name, 'create', '--filename', '-'], { input: secret })
    const login = [`--docker-server=${registry}`, '--docker-username=nobody', '--docker-password=nothing']
    await namespace.kubectl('create', 'secret', 'docker-registry', 'registrysecret', ...login)
  }

  async function migrations(): Promise<string[]> {
    return (await namespace.jobs())
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith('migrations-'))
  }
}
