/**
 * Runs before the scripts that need what it looks for, and before anything is imported: what is missing is told in a
 * sentence. Written for any Node.
 */
import { readFileSync } from 'fs'
import { createRequire } from 'module'

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const [major, minor] = process.versions.node.split('.').map(Number)

// As package.json says it. A package that reads such ranges may not be there yet.
if (!(major === 20 ? minor >= 19 : major === 22 ? minor >= 12 : major > 22)) {
  fail(
    `Chat needs Node.js ${engines.node}, and this is ${process.versions.node}. Install a newer one from https://nodejs.org and try again.`,
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
