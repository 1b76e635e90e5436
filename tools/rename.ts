/**
 * `npm run rename -- <name>`: gives a clone of this template another name. It changes tracked files: the packages and
 * their scope, the titles that people read, the werf project and the chart. It keeps the names of the protocol (the
 * cookie, the queues, the events), because clients and other tools rely on them.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

interface Place {
  /** Files that the pattern applies to. */
  files: RegExp
  pattern: RegExp
  replacement: string
}

try {
  rename(process.argv[2] ?? '')
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}

function rename(name: string) {
  process.chdir(git('rev-parse', '--show-toplevel').trim())
  const { name: oldName } = JSON.parse(readFileSync('package.json', 'utf8')) as { name: string }
  // The name is used for a package, for a Kubernetes namespace and in image names.
  if (!/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/.test(name) || name.includes('--')) {
    throw new Error(
      `usage: npm run rename -- <name>\nA name has 2 to 40 lower-case letters, digits and single dashes, and begins with a letter. "${name}" does not.`,
    )
  }
  if (name === oldName) throw new Error(`The project is already called ${name}.`)
  if (git('status', '--porcelain') !== '')
    throw new Error(
      'There are uncommitted changes. Commit or stash them first, so that you can review and undo the renaming.',
    )

  const changed = git('ls-files', '-z')
    .split('\0')
    .filter((file) => file !== '' && !file.startsWith('tools/rename') && renameIn(file, placesOf(oldName, name)))
  process.stdout.write(`Changed ${changed.length} files:\n${changed.map((file) => `  ${file}\n`).join('')}`)
  process.stdout.write('Next: npm install, npm test, git diff, git commit.\n')
}

function placesOf(oldName: string, name: string): Place[] {
  const [from, title] = [escaped(oldName), titleOf(name)]
  return [
    // the scope of the packages
    {
      files: /\.([cm]?[jt]sx?|json|ya?ml|md|sh)$|Dockerfile/,
      pattern: new RegExp(`@${from}/`, 'g'),
      replacement: `@${name}/`,
    },
    // the root package
    { files: /^package(-lock)?\.json$/, pattern: new RegExp(`("name": )"${from}"`, 'g'), replacement: `$1"${name}"` },
    // the werf project and the chart
    {
      files: /^werf[^/]*\.yaml$|(^|\/)Chart\.yaml$/,
      pattern: new RegExp(`^((?:project|name): )${from}$`, 'gm'),
      replacement: `$1${name}`,
    },
    // the same in the pipelines
    {
      files: /^\.gitlab-ci\.yml$|^\.github\/workflows\/werf\.yml$/,
      pattern: new RegExp(`^( +PROJECT: )${from}\\b`, 'gm'),
      replacement: `$1${name}`,
    },
    // the title in texts, not in code
    {
      files: /\.(tsx?|md|example)$/,
      pattern: new RegExp(`((?:>|["'\`#·] {0,2}))${escaped(titleOf(oldName))}\\b`, 'g'),
      replacement: `$1${title}`,
    },
  ]
}

/** Returns false if the file does not contain the old name. */
function renameIn(file: string, places: Place[]): boolean {
  const mine = places.filter(({ files }) => files.test(file))
  if (mine.length === 0) return false
  const before = readFileSync(file, 'utf8')
  const after = mine.reduce((text, { pattern, replacement }) => text.replace(pattern, replacement), before)
  if (after !== before) writeFileSync(file, after)
  return after !== before
}

/** `team-talk` → `Team Talk`. */
function titleOf(name: string): string {
  return name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ')
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' })
}
