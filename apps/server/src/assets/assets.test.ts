import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDiskStorage } from '../storage/disk-storage.js'
import type { Storage } from '../storage/storage.js'
import { createAssets } from './assets.js'

let folder: string
let storage: Storage

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chat-assets-'))
  storage = createDiskStorage({ dir: join(folder, 'storage') })
  await storage.prepare()
})
afterEach(() => rm(folder, { recursive: true }))

/** The assets of one release, which has these files. */
async function version(files: Record<string, string>) {
  const directory = await mkdtemp(join(folder, 'version-'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content)
  return createAssets({ storage, directory })
}

const before = 'main.0123456789abcdef0123.js'
const after = 'main.fedcba98765432109876.css'

describe('assets of several releases', () => {
  it('are found by each release, with their content type', async () => {
    const [first, second] = [await version({ [before]: 'before()' }), await version({ [after]: 'a{}' })]
    await first.publish()
    await second.publish()
    expect(await second.find(before)).toEqual({
      content: Buffer.from('before()'),
      contentType: 'text/javascript; charset=utf-8',
    })
    expect(await first.find(after)).toEqual({ content: Buffer.from('a{}'), contentType: 'text/css; charset=utf-8' })
  })

  it('are the files with a hash in their name, and no other files', async () => {
    const assets = await version({
      [before]: 'before()',
      'manifest.json': '{}',
      [`${before}.gz`]: 'zip',
      [`${before}.map`]: 'map',
    })
    await assets.publish()
    for (const name of ['manifest.json', `${before}.gz`, `${before}.map`]) expect(await assets.find(name)).toBeNull()
  })

  it('do not include avatars', async () => {
    const key = '11111111-1111-4111-8111-111111111111.webp'
    await storage.put(key, Buffer.from('picture'), 'image/webp')
    expect(await (await version({})).find(key)).toBeNull()
  })

  it('can be published by all replicas, several times', async () => {
    const replicas = await Promise.all([version({ [before]: 'before()' }), version({ [before]: 'before()' })])
    await Promise.all(replicas.map((assets) => assets.publish()))
    const late = await version({ [before]: 'before()' })
    await late.publish()
    await late.publish()
    expect((await replicas[1].find(before))?.content.toString()).toBe('before()')
  })
})
