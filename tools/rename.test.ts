import { execFile, execFileSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
/** This test is also part of a clone, where the project has another name. */
const { name: oldName } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string }
const leftOut = ['node_modules', 'dist', '.git', '.data', '.cache', '.env']

describe('npm run rename', () => {
  let copy: string

  beforeEach(async () => {
    copy = await mkdtemp(join(tmpdir(), 'chat-rename-'))
    cpSync(root, copy, { recursive: true, filter: (path) => !leftOut.includes(basename(path)) })
    git('init', '--quiet')
    commit()
  })
  afterEach(() => rm(copy, { recursive: true }))

  function git(...args: string[]): string {
    return execFileSync('git', args, { cwd: copy, encoding: 'utf8' })
  }
  function commit() {
    git('add', '--all')
    git('-c', 'user.name=Test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '--message', 'A clone')
  }
  const read = (file: string) => readFileSync(join(copy, file), 'utf8')
  const matches = (pattern: string) =>
    git('grep', '--extended-regexp', '--line-number', pattern, '--', '.', ':!tools/rename*')
  function rename(...args: string[]): Promise<{ code: number; output: string }> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        ['--import', tsx, join(copy, 'tools/rename.ts'), ...args],
        { cwd: copy },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr })
        },
      )
    })
  }

  it('gives packages, imports and titles the new name, and says which files it changed', async () => {
    const { code, output } = await rename('team-talk')
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringContaining('apps/server/package.json') as unknown,
    })
    const changed = git('diff', '--name-only').trim().split('\n')
    expect(output.match(/^ {2}\S.*$/gm)?.map((line) => line.trim())).toEqual(changed)

    expect(JSON.parse(read('package.json'))).toMatchObject({ name: 'team-talk' })
    expect(JSON.parse(read('package-lock.json'))).toMatchObject({
      name: 'team-talk',
      packages: { '': { name: 'team-talk' }, 'apps/worker': { name: '@team-talk/worker' } },
    })
    expect(JSON.parse(read('apps/worker/package.json'))).toMatchObject({
      dependencies: { '@team-talk/server': '1.0.0' },
    })
    expect(() => matches(`@${oldName}/`)).toThrow() // git grep finds nothing
    expect(matches('Team Talk')).toMatch(/^apps\/server\/src\/.*'Team Talk'/m)
    expect(matches('Team Talk')).toMatch(/^apps\/web\/src\/.*>Team Talk</m)
    expect(read('README.md')).toMatch(/^# Team Talk$/m)
  })

  it('keeps the names of the protocol and of the code', async () => {
    const [cookie, types] = [matches('chat\\.sid'), matches('interface Chat |: Chat\\b')]
    await rename('team-talk')
    expect(matches('chat\\.sid')).toBe(cookie)
    expect(matches('interface Chat |: Chat\\b')).toBe(types)
  })

  it('can be done again', async () => {
    await rename('team-talk')
    commit()
    expect((await rename(oldName)).code).toBe(0)
    expect(git('diff', '--name-only', 'HEAD~1')).toBe('')
  })

  it.each(['', 'Chat', 'my chat', 'a', '-chat', 'chat_app', 'chat--app', '@me/chat', 'ünïcode', oldName])(
    'refuses the name "%s" and changes nothing',
    async (name) => {
      const { code, output } = await rename(name)
      expect({ code, output }).toMatchObject({ code: 1, output: expect.stringMatching(/usage|already/) as unknown })
      expect(git('status', '--porcelain')).toBe('')
    },
  )

  it('refuses a checkout with uncommitted changes', async () => {
    writeFileSync(join(copy, 'notes.txt'), 'not committed')
    const { code, output } = await rename('team-talk')
    expect({ code, output }).toMatchObject({
      code: 1,
      output: expect.stringContaining('uncommitted changes') as unknown,
    })
    expect(git('status', '--porcelain')).toBe('?? notes.txt\n')
  })
})
