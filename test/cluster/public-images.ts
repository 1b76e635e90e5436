/**
 * `npm run images`: the public images that the builds and the chart of this project use, one per line, to
 * mirror them. Needs helm.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { releases } from '../chart/kubernetes/schemas.js'
import { root, run } from './commands.js'
import { imageNames } from './images.js'

const stages = [...readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/^FROM (\S+) AS (\S+)$/gm)]
const builtHere = new Set(stages.map(([, , name]) => name))

const ownImage = 'built-here'
const refs = imageNames.flatMap((name) => ['--set', `global.werf.images.${name}.ref_tag=${ownImage}`])
// Some builds of Helm have no default version of Kubernetes.
const { stdout: chart } = await run('helm', [
  'template',
  'chat',
  join(root, '.helm'),
  '--kube-version',
  releases['1.34'],
  ...refs,
])
const besides = [...chart.matchAll(/^\s*(?:- )?image: "?([^"\s]+)"?$/gm)]

const images = [...stages, ...besides]
  .map(([, image]) => image ?? '')
  .filter((image) => image !== ownImage && !builtHere.has(image))
process.stdout.write(`${[...new Set(images)].sort().join('\n')}\n`)
