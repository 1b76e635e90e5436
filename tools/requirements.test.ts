import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

interface Package {
  engines: { node: string }
  scripts: Record<string, string>
}

const { engines, scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as Package

describe('the check before a script', () => {
  let elsewhere: string
  beforeAll(() => {
    elsewhere = mkdtempSync(join(tmpdir(), 'chat-requirements-'))
    mkdirSync(join(elsewhere, 'tools'))
    for (const file of ['package.json', 'tools/requirements.js']) cpSync(file, join(elsewhere, file))
  })
  afterAll(() => rmSync(elsewhere, { recursive: true }))

  /** Runs the check as this version of Node.js would. */
  function look(version: string, where = '.') {
    const older = `data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"${version}"}})`
    const { status, stderr } = spawnSync(process.execPath, ['--import', older, join(where, 'tools/requirements.js')], {
      encoding: 'utf8',
    })
    return { status, stderr }
  }

  it.each(['20.19.0', '20.20.2', '22.12.0', '23.0.0', '24.1.0', '30.0.0'])('accepts Node.js %s', (version) => {
    expect(look(version)).toEqual({ status: 0, stderr: '' })
  })

  it.each(['14.21.3', '18.20.8', '20.18.3', '21.7.3', '22.11.0'])(
    'refuses Node.js %s, and says in one sentence which version is needed',
    (version) => {
      expect(engines.node).toBe('^20.19 || >=22.12')
      const sentence = `Chat needs Node.js ^20.19 || >=22.12, and this is ${version}. Install a newer version from https://nodejs.org and try again.`
      expect(look(version)).toEqual({ status: 1, stderr: `\n${sentence}\n` })
    },
  )

  it('says in one sentence how to install missing packages', () => {
    expect(look(process.versions.node, elsewhere)).toEqual({
      status: 1,
      stderr: '\nThe packages of Chat are not installed yet. Run this first: npm install\n',
    })
  })

  it('runs before everything else, and npm checks the version too', () => {
    for (const script of ['prestart', 'predev', 'pretest'])
      expect(scripts[script]).toMatch(/^node tools\/requirements\.js/)
    expect(readFileSync('.npmrc', 'utf8')).toContain('engine-strict=true')
  })
})
