import { execFile, execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { blocksIn, codeIn, headingsIn, linksIn, proseOf, sectionOf, tablesIn } from './test/markdown.js'
import { files, read, root } from './test/repository.js'

const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
const pages = files.filter((file) => /^docs\/guide\/.+\.md$/.test(file))
const english = pages.filter((page) => !page.endsWith('.ru.md'))
const chapters = [...new Set(files.flatMap((file) => /^docs\/guide\/\d\d-[^/]+(?=\/)/.exec(file) ?? []))].sort()
const exercises = files.filter((file) => /^docs\/guide\/[^/]+\/exercise-\d\.diff$/.test(file))

/** The headings and links of a chapter's page, in English and in Russian. */
const forms = [
  {
    page: 'README.md',
    ways: /^\[По-русски\]\(README\.ru\.md\) · \[All chapters\]\(\.\.\/README\.md\) · In the guide: /m,
    headings: ['Files', 'Run it', 'In the guide, now, and why', 'Exercises'],
    table: ['in the guide', 'now', 'why'],
  },
  {
    page: 'README.ru.md',
    ways: /^\[In English\]\(README\.md\) · \[Все главы\]\(\.\.\/README\.ru\.md\) · В гайде: /m,
    headings: ['Файлы', 'Запуск', 'В гайде, теперь и почему', 'Упражнения'],
    table: ['в гайде', 'теперь', 'почему'],
  },
]

/** Solutions that contain their own test, with its project in vitest.config.ts and its file. */
const proven: { exercise: string; project: string; test: string }[] = [
  {
    exercise: 'docs/guide/08-e-mail/exercise-1.diff',
    project: 'apps',
    test: 'apps/server/src/mail/send-password-notice.test.ts',
  },
  {
    exercise: 'docs/guide/13-applications/exercise-1.diff',
    project: 'apps',
    test: 'apps/server/src/greeter/greet-newcomer.test.ts',
  },
  { exercise: 'docs/guide/16-scheduled-job/exercise-1.diff', project: 'chart', test: 'test/chart/relations.test.ts' },
]

describe('the guide', () => {
  it('numbers its chapters without a gap, and each has its pages', () => {
    expect(chapters.length).toBeGreaterThanOrEqual(16)
    expect(chapters.map((chapter) => Number(posix.basename(chapter).slice(0, 2)))).toEqual(
      chapters.map((_, index) => index + 1),
    )
    expect(english.length).toBeGreaterThanOrEqual(chapters.length + 7)
    expect(exercises.length).toBeGreaterThanOrEqual(chapters.length)
  })

  it.each(['README.md', 'README.ru.md'])('lists all pages in its index, in order: %s', (name) => {
    const targets = linksIn(read(`docs/guide/${name}`)).map(({ target }) => posix.join('docs/guide', target))
    expect(targets.filter((target) => chapters.includes(dirname(target)))).toEqual(
      chapters.map((chapter) => `${chapter}/${name}`),
    )
    const single = english.filter((page) => dirname(page) === 'docs/guide' && !page.endsWith('/README.md'))
    expect(single.length).toBeGreaterThanOrEqual(6)
    const linked = targets.filter(
      (target) => dirname(target) === 'docs/guide' && !posix.basename(target).startsWith('README.'),
    )
    expect([...linked].sort()).toEqual(
      single.map((page) => (name === 'README.md' ? page : page.replace(/\.md$/, '.ru.md'))).sort(),
    )
  })
})

describe.each(chapters)('%s', (chapter) => {
  const own = files.filter((file) => file.startsWith(`${chapter}/`)).map((file) => file.slice(chapter.length + 1))
  const diffs = own.filter((name) => name.endsWith('.diff'))

  it('has its pages, its values and its exercises', () => {
    expect(own).toEqual(expect.arrayContaining(['README.md', 'README.ru.md', 'values.yaml', 'exercise-1.diff']))
    expect(diffs).toEqual(diffs.map((_, index) => `exercise-${index + 1}.diff`))
  })

  it.each(forms)('has the form of a chapter: $page', ({ page: name, ways, headings, table }) => {
    const page = read(`${chapter}/${name}`)
    const [title, ...others] = headingsIn(page)
    expect(title).toEqual({
      level: 1,
      text: expect.stringMatching(new RegExp(`^${Number(posix.basename(chapter).slice(0, 2))}\\. \\S`)) as string,
    })
    expect(others.filter(({ level }) => level < 3).map(({ text }) => text)).toEqual(headings)
    // A paragraph, and the links to the other pages.
    const [, opening = '', links = ''] = page.split('\n\n')
    expect(opening.length).toBeGreaterThan(80)
    expect(links).toMatch(ways)

    const [filesHeading = '', , tableHeading, exercisesHeading = ''] = headings
    const there = linksIn(sectionOf(page, filesHeading)).map(({ text, target }) => ({
      named: codeIn(text)[0],
      path: posix.join(chapter, target),
    }))
    expect(
      there.filter(({ path }) => files.includes(path) && !path.startsWith('docs/guide/')).length,
    ).toBeGreaterThanOrEqual(2)
    expect(
      there.filter(({ named, path }) => !path.startsWith('docs/guide/') && named?.replace(/\/$/, '') !== path),
    ).toEqual([])
    expect(linksIn(page).map(({ target }) => target)).toContain('values.yaml')

    const tables = tablesIn(page).filter(({ heading }) => heading === tableHeading)
    expect(tables.map(({ header }) => header)).toEqual([table])
    const rows = tables.flatMap((each) => each.rows)
    expect(rows.length).toBeGreaterThanOrEqual(4)
    // A new item has no counterpart in the guide, and an unchanged item needs no reason.
    expect(rows.filter((row) => row.length !== 3 || row[1] === '' || row[0] === row[2])).toEqual([])

    const tasks = sectionOf(page, exercisesHeading)
      .split(/^\d+\. /m)
      .slice(1)
    expect(
      tasks.map((task) =>
        linksIn(task)
          .map(({ target }) => target)
          .filter((target) => target.endsWith('.diff')),
      ),
    ).toEqual(diffs.map((diff) => [diff]))
  })

  it('deploys with its own values', () => {
    const commands = blocksIn(read(`${chapter}/README.md`))
      .filter(({ language }) => language === 'bash')
      .map(({ text }) => text)
    expect(commands.length).toBeGreaterThan(0)
    const values = commands.flatMap((text) =>
      [...text.matchAll(/werf converge\b[^\n]* --values (\S+)/g)].map(([, file]) => file),
    )
    expect(new Set(values)).toEqual(new Set([`${chapter}/values.yaml`]))
  })
})

describe.each(english)('%s', (page) => {
  const translation = page.replace(/\.md$/, '.ru.md')
  // The link to the other language is in that language.
  const both = [page, translation].map((file) =>
    read(file).replace(/^\[(По-русски|In English)\]\((\S+)\)/m, '[]($2)'),
  ) as [string, string]

  it('has the same structure as its Russian version', () => {
    const [mine, its] = both
    expect(headingsIn(its).map(({ level }) => level)).toEqual(headingsIn(mine).map(({ level }) => level))
    expect(blocksIn(its)).toEqual(blocksIn(mine))
    expect(its.match(/^ *```/gm)?.length).toBe(blocksIn(its).length * 2 || undefined)
    const targets = both.map((text) => linksIn(text).map(({ target }) => target.replace(/(\.ru)?(\.md)(#.*)?$/, '$2')))
    expect(targets[1]).toEqual(targets[0])
    expect(targets[0]?.length).toBeGreaterThan(2)
    const rows = both.map((text) =>
      tablesIn(text).map((table) => table.rows.map((row) => codeIn(row.join(' ')).sort())),
    )
    expect(rows[1]).toEqual(rows[0])
  })

  it('links to pages in its own language', () => {
    const [, ...mine] = linksIn(both[0]).map(({ target }) => target)
    expect(mine.filter((target) => /\.ru\.md(#|$)/.test(target))).toEqual([])
    const [, ...its] = linksIn(both[1]).map(({ target }) => target.replace(/#.*/, ''))
    const hasTwin = (target: string) =>
      /(?<!\.ru)\.md$/.test(target) && files.includes(posix.join(dirname(page), target.replace(/\.md$/, '.ru.md')))
    expect(its.filter(hasTwin)).toEqual([])
  })

  it('is in English, and its other version is in Russian', () => {
    const [mine, its] = both.map(wordsIn) as [string[], string[]]
    expect(mine.filter((text) => cyrillicIn(text) > 0)).toEqual([])
    const long = its.filter((text) => (text.match(/\p{L}/gu) ?? []).length >= 40)
    expect(long.length).toBeGreaterThan(4)
    // Technical names are English in both.
    expect(long.filter((text) => cyrillicIn(text) < 0.3)).toEqual([])
    expect(cyrillicIn(its.join(' '))).toBeGreaterThan(0.7)
  })

  it('names only scripts and values files that exist', () => {
    const blocks = blocksIn(read(page))
      .map(({ text }) => text)
      .join('\n')
    expect(
      [...blocks.matchAll(/\bnpm run (?:--\S+ )*([\w:-]+)/g)]
        .map(([, name = '']) => name)
        .filter((name) => !(name in scripts)),
    ).toEqual([])
    expect(
      [...read(page).matchAll(/docs\/guide\/[\w/.-]+\.(yaml|diff)/g)]
        .map(([file]) => file)
        .filter((file) => !files.includes(file)),
    ).toEqual([])
  })
})

describe('the checks of the guide', () => {
  it('find the text that they check', () => {
    const all = english
      .flatMap((page) => blocksIn(read(page)))
      .map(({ text }) => text)
      .join('\n')
    expect(all.match(/\bnpm run [\w:-]+/g)?.length).toBeGreaterThan(3)
    expect(all.match(/docs\/guide\/[\w/.-]+\/values\.yaml/g)?.length).toBeGreaterThanOrEqual(chapters.length)
    expect(wordsIn('Ein `код` [слово](слово.md)\n\n```text\nкод\n```\n| ячейка |\n')).toEqual([
      'Ein  слово',
      '| ячейка |',
    ])
    expect([cyrillicIn('два two'), cyrillicIn('two'), cyrillicIn('')]).toEqual([0.5, 0, 0])
  })
})

describe.each(exercises)('%s', (exercise) => {
  const diff = read(exercise)
  const touched = [...diff.matchAll(/^diff --git a\/(\S+) b\/(\S+)$/gm)].map(([, before = '', after = '']) => ({
    before,
    after,
  }))

  it('changes only this repository, and applies to it', () => {
    expect(touched.length).toBeGreaterThan(0)
    expect(diff).toMatch(/^[+-](?![+-]{2} )/m)
    expect(touched.filter(({ before, after }) => before !== after)).toEqual([])
    // In a copy outside the repository: git then checks only these files, and the originals stay unchanged.
    const folder = emptyFolder()
    for (const { before } of touched.filter(({ before }) => files.includes(before))) copy(before, folder)
    git(folder, 'apply', '--check', '--whitespace=error', join(root, exercise))
    // The check can fail.
    git(folder, 'apply', join(root, exercise))
    expect(() => git(folder, 'apply', '--check', join(root, exercise))).toThrow()
  })
})

describe('solutions', () => {
  it('are at least three', () => {
    expect(proven.length).toBeGreaterThanOrEqual(3)
    expect(proven.filter(({ exercise }) => !exercises.includes(exercise))).toEqual([])
  })

  it.each(proven)('pass their own tests: $exercise', { timeout: 300_000 }, async ({ exercise, project, test }) => {
    const folder = checkout()
    // First apply only the tests: they fail without the solution.
    git(folder, 'apply', '--include=*.test.*', join(root, exercise))
    const before = await vitest(folder, project, test)
    expect(before.success, before.output).toBe(false)
    git(folder, 'apply', '--exclude=*.test.*', join(root, exercise))
    const after = await vitest(folder, project, test)
    expect(after, after.output).toMatchObject({ success: true, failed: 0 })
    expect(after.passed).toBeGreaterThan(before.passed)
  })
})

/** The text of a page as a list of paragraphs, list items and rows, without code and URLs. */
function wordsIn(page: string): string[] {
  const parts = proseOf(page).split(/\n\s*\n|\n(?=[|-]|\d+\. )/)
  return parts
    .map((part) =>
      part
        .replaceAll(/`[^`]+`|(?<=\])\([^)]*\)/g, '')
        .replaceAll(/[[\]]/g, '')
        .trim(),
    )
    .filter((part) => part !== '')
}

/** The share of Cyrillic letters, from 0 to 1. Quoted text is ignored, because it may be a name in the guide. */
function cyrillicIn(text: string): number {
  const letters = text.replaceAll(/“[^”]*”/g, '').match(/\p{L}/gu) ?? []
  return letters.length === 0
    ? 0
    : letters.filter((letter) => /\p{Script=Cyrillic}/u.test(letter)).length / letters.length
}

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'chat-guide-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function copy(file: string, folder: string) {
  mkdirSync(join(folder, dirname(file)), { recursive: true })
  copyFileSync(join(root, file), join(folder, file))
}

/** A folder with every file of the repository, and links to the installed packages. */
function checkout(): string {
  const folder = emptyFolder()
  for (const file of files.filter((file) => existsSync(join(root, file)))) copy(file, folder)
  git(folder, 'init', '--quiet')
  // The apps must find each other in this folder, not in the original repository.
  const packages = join(folder, 'node_modules')
  mkdirSync(join(packages, '@chat'), { recursive: true })
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== '@chat') symlinkSync(join(root, 'node_modules', name), join(packages, name))
  for (const app of readdirSync(join(folder, 'apps')))
    symlinkSync(join(folder, 'apps', app), join(packages, '@chat', app))
  return folder
}

/** Runs git in a folder as if it were outside every repository. */
function git(folder: string, ...args: string[]) {
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    GIT_CEILING_DIRECTORIES: dirname(folder),
    GIT_CONFIG_NOSYSTEM: '1',
  }
  return execFileSync('git', args, { cwd: folder, env, encoding: 'utf8', stdio: 'pipe' })
}

/** Runs one test file of a checkout, on the built-in adapters. */
function vitest(
  folder: string,
  project: string,
  test: string,
): Promise<{ success: boolean; passed: number; failed: number; output: string }> {
  const file = join(folder, 'results.json')
  rmSync(file, { force: true })
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(TEST_|VITEST|NODE_ENV$|GIT_)/.test(name)),
  )
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const args = [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    project,
    test,
    '--bail=1',
    ...reporters,
  ]
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: folder, env, timeout: 120_000, maxBuffer: 32 * 2 ** 20 },
      (error, stdout, stderr) => {
        const output = `${stdout}\n${stderr}`
        if (!existsSync(file)) return resolve({ success: false, passed: 0, failed: 0, output })
        const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(file, 'utf8')) as {
          numPassedTests: number
          numFailedTests: number
        }
        resolve({
          success: error === null && numPassedTests > 0,
          passed: numPassedTests,
          failed: numFailedTests,
          output,
        })
      },
    )
  })
}
