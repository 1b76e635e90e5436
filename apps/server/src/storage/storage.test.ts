import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { S3Config } from '../config.js'
import { Unavailable } from '../platform/errors.js'
import { createDiskStorage } from './disk-storage.js'
import { createFolder, createFolderAndRoot } from './folder.js'
import { createMinioStorage } from './minio-storage.js'
import type { Storage } from './storage.js'

const { TEST_S3_ENDPOINT, TEST_S3_PORT, TEST_S3_ACCESS_KEY, TEST_S3_SECRET_KEY } = process.env
const s3 = (more: Partial<S3Config> = {}): S3Config => ({
  kind: 's3',
  endpoint: TEST_S3_ENDPOINT ?? '127.0.0.1',
  port: Number(TEST_S3_PORT),
  ssl: false,
  accessKey: TEST_S3_ACCESS_KEY ?? 'key',
  secretKey: TEST_S3_SECRET_KEY ?? 'secret',
  bucket: `test-${randomUUID()}`,
  region: 'us-east-1',
  ...more,
})

let dir: string
beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'chat-storage-'))))
afterAll(() => rm(dir, { recursive: true }))

const storages = [
  { name: 'a directory', create: (): Storage => createDiskStorage({ dir: join(dir, randomUUID()) }) },
  ...(TEST_S3_ENDPOINT === undefined ? [] : [{ name: 'S3', create: (): Storage => createMinioStorage(s3()) }]),
]

describe.each(storages)('pictures in $name', ({ create }) => {
  let storage: Storage
  beforeAll(async () => {
    storage = create()
    await storage.prepare()
  })

  it('are returned unchanged', async () => {
    const [key, picture] = [newKey(), Buffer.from(Array.from({ length: 70_000 }, (_, n) => n % 251))]
    await storage.put(key, picture, 'image/webp')
    expect(picture.equals((await storage.get(key)) ?? Buffer.alloc(0))).toBe(true)
  })

  it('are null when they are missing', async () => {
    expect(await storage.get(newKey())).toBeNull()
  })

  it('are missing after they are removed, and can be removed again', async () => {
    const key = newKey()
    await storage.put(key, Buffer.from('picture'), 'image/webp')
    await storage.remove(key)
    expect(await storage.get(key)).toBeNull()
    await storage.remove(key)
  })

  it('have a bucket or directory that is created once, also by requests at the same time', async () => {
    const another = create()
    await Promise.all([another.prepare(), another.prepare(), another.prepare()])
    await another.prepare()
    await another.check()
  })

  it('cannot be stored without the bucket or directory, and the check fails', async () => {
    await storage.check()
    await expect(create().check()).rejects.toThrow()
  })
})

describe.each(storages)('a folder in $name', ({ create }) => {
  let storage: Storage
  beforeAll(async () => {
    storage = create()
    await storage.prepare()
  })

  it('has its own files', async () => {
    const [avatars, assets] = [createFolder(storage, 'avatars'), createFolder(storage, 'assets')]
    const key = newKey()
    await avatars.put(key, Buffer.from('picture'), 'image/webp')
    expect(await avatars.get(key)).toEqual(Buffer.from('picture'))
    expect(await storage.get(`avatars/${key}`)).toEqual(Buffer.from('picture'))
    expect(await storage.get(key)).toBeNull()
    expect(await assets.get(key)).toBeNull()

    await assets.remove(key)
    expect(await avatars.get(key)).not.toBeNull()
    await avatars.remove(key)
    expect(await avatars.get(key)).toBeNull()
    await avatars.remove(key)
  })

  it('uses the bucket or directory of the whole storage', async () => {
    await createFolder(storage, 'avatars').check()
    const folder = createFolder(create(), 'avatars')
    await expect(folder.check()).rejects.toThrow()
    await folder.prepare()
    await folder.check()
  })
})

describe.each(storages)('an update from files in the root to folders, in $name', ({ create }) => {
  let root: Storage
  let folder: Storage
  let both: Storage
  beforeAll(async () => {
    root = create()
    await root.prepare()
    folder = createFolder(root, 'avatars')
    both = createFolderAndRoot(root, 'avatars')
  })

  it('finds the files of the release before', async () => {
    const key = newKey()
    await root.put(key, Buffer.from('before'), 'image/webp')
    expect(await both.get(key)).toEqual(Buffer.from('before'))
  })

  it('stores files where the releases before and after find them', async () => {
    const key = newKey()
    await both.put(key, Buffer.from('now'), 'image/webp')
    expect(await root.get(key)).toEqual(Buffer.from('now'))
    expect(await folder.get(key)).toEqual(Buffer.from('now'))
    await root.remove(key)
    expect(await both.get(key)).toEqual(Buffer.from('now'))
  })

  it('removes a file from both places', async () => {
    const [key, old] = [newKey(), newKey()]
    await both.put(key, Buffer.from('now'), 'image/webp')
    await root.put(old, Buffer.from('before'), 'image/webp')
    for (const each of [key, old]) {
      await both.remove(each)
      for (const storage of [root, folder, both]) expect(await storage.get(each)).toBeNull()
    }
  })

  it('leaves a file in the root when the folder cannot store it', async () => {
    const key = newKey()
    const halfBroken: Storage = {
      ...root,
      put: (name, ...rest) => (name.includes('/') ? Promise.reject(new Error('full')) : root.put(name, ...rest)),
    }
    await expect(createFolderAndRoot(halfBroken, 'avatars').put(key, Buffer.from('now'), 'image/webp')).rejects.toThrow(
      'full',
    )
    expect(await both.get(key)).toEqual(Buffer.from('now'))
  })
})

describe('a directory of files', () => {
  it('refuses keys that are invalid or lead out of it', async () => {
    const outside = join(dir, 'outside.webp')
    await writeFile(outside, 'not a picture of anybody')
    const storage = createDiskStorage({ dir: join(dir, 'inside') })
    await storage.prepare()
    for (const key of [
      '../outside.webp',
      outside,
      '..\\outside.webp',
      'avatars/../../outside.webp',
      'avatars/..',
      './inside.webp',
      'a/b/c.webp',
      'a\0.webp',
      '.webp',
      'Ä.webp',
      '%2e%2e%2foutside.webp',
    ]) {
      await expect(storage.get(key)).rejects.toThrow()
      await expect(storage.put(key, Buffer.from('x'), 'image/webp')).rejects.toThrow()
      await expect(storage.remove(key)).rejects.toThrow()
    }
  })

  it('contains only whole files: drafts and files of the check are removed', async () => {
    const place = join(dir, randomUUID())
    const storage = createDiskStorage({ dir: place })
    await storage.prepare()
    const key = newKey()
    await storage.put(key, Buffer.from('picture'), 'image/webp')
    await storage.check()
    expect(await readdir(place)).toEqual([key])
  })
})

describe('S3', () => {
  it('that does not answer is unavailable after some seconds', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const storage = createMinioStorage(s3({ endpoint: '127.0.0.1', port: (silent.address() as AddressInfo).port }))
    await expect(storage.get(newKey())).rejects.toBeInstanceOf(Unavailable)
    silent.close()
  }, 10_000)

  it('that refuses connections is unavailable', async () => {
    const storage = createMinioStorage(s3({ endpoint: '127.0.0.1', port: 9 }))
    await expect(storage.put(newKey(), Buffer.from('x'), 'image/webp')).rejects.toBeInstanceOf(Unavailable)
  })
})

function newKey(): string {
  return `${randomUUID()}.webp`
}
