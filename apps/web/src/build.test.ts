import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import webpack from 'webpack'

import configure from '../webpack.config.js'

/** JS and CSS of the first load, in bytes, compressed. What is not on the first page is loaded when it is opened. */
const firstLoadLimit = 45_000

let folder: string
let manifest: Record<string, string>
const read = (name: string) => readFile(join(folder, name))
const assets = () => Object.values(manifest).map((path) => path.replace('/assets/', ''))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chat-web-'))
  const config = configure({}, { mode: 'production' })
  await new Promise<void>((resolve, reject) => {
    webpack({ ...config, cache: false, output: { ...config.output, path: folder } }, (error, stats) => {
      if (error) reject(error)
      else if (stats?.hasErrors()) reject(new Error(stats.toString('errors-only')))
      else resolve()
    })
  })
  manifest = JSON.parse(String(await read('manifest.json'))) as Record<string, string>
})
afterAll(() => rm(folder, { recursive: true }))

describe('the production build', () => {
  it('names every asset by its content, and lists its path in the manifest', () => {
    expect(Object.keys(manifest).sort()).toEqual([
      'browse-rooms.js',
      'emoji-picker.js',
      'entrance.js',
      'icon-unread.svg',
      'icon.svg',
      'join-bar.js',
      'keys-help.js',
      'main.css',
      'main.js',
      'members.js',
      'new-room.js',
      'person-card.js',
      'profile.js',
      'room-details.js',
      'search.js',
      'suggestions.js',
      'switcher.js',
    ])
    for (const [name, url] of Object.entries(manifest)) {
      const [stem, ext] = name.split('.')
      expect(url).toMatch(new RegExp(`^/assets/${stem}\\.[0-9a-f]{20}\\.${ext}$`))
    }
  })

  it('adds compressed files with the same content', async () => {
    for (const name of assets()) {
      const plain = await read(name)
      expect(gunzipSync(await read(`${name}.gz`)).equals(plain), `${name}.gz`).toBe(true)
      expect(brotliDecompressSync(await read(`${name}.br`)).equals(plain), `${name}.br`).toBe(true)
    }
  })

  it('has a first load of less than 45,000 bytes', async () => {
    const sizes = await Promise.all(
      ['main.js', 'main.css'].map(async (name) => (await read(`${manifest[name]!.slice(8)}.gz`)).length),
    )
    expect(sizes[0]! + sizes[1]!).toBeLessThan(firstLoadLimit)
  })

  it('has no source maps and no other files', async () => {
    const named = assets().flatMap((name) => [name, `${name}.br`, `${name}.gz`])
    expect((await readdir(folder)).sort()).toEqual([...named, 'manifest.json'].sort())
  })
})
