/**
 * Checks the version of Node.js and the installed packages, and says in one sentence what is missing. It runs before
 * scripts that need both, imports no package, and works with every version of Node.js.
 */
import { readFileSync } from 'fs'
import { createRequire } from 'module'

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const [major, minor] = process.versions.node.split('.').map(Number)

// The same range as in package.json. A package that parses ranges may not be installed yet.
if (!(major === 20 ? minor >= 19 : major === 22 ? minor >= 12 : major > 22)) {
  fail(
    `Chat needs Node.js ${engines.node}, and this is ${process.versions.node}. Install a newer version from https://nodejs.org and try again.`,
  )
}
try {
  createRequire(import.meta.url).resolve('tsx')
} catch {
  fail('The packages of Chat are not installed yet. Run this first: npm install')
}

function fail(problem) {
  process.stderr.write(`\n${problem}\n`)
  process.exit(1)
}
