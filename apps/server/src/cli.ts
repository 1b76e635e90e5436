import { acceptance } from './tasks/acceptance.js'
import { bucket } from './tasks/bucket.js'
import { doctor } from './tasks/doctor.js'
import { fixtures } from './tasks/fixtures.js'
import { migrateSchema } from './tasks/migrate.js'
import { replay } from './tasks/replay.js'
import type { Task } from './tasks/task.js'
import { upkeep } from './tasks/upkeep.js'
import { wait } from './tasks/wait.js'
import { readConfig } from './config.js'
import { explain } from './platform/explain.js'
import { createLog } from './platform/log.js'

const tasks: Record<string, { run: Task; what: string }> = {
  wait: { run: wait, what: 'wait until PostgreSQL answers, and log why it does not' },
  migrate: { run: migrateSchema, what: 'migrate the database to the schema of this release' },
  fixtures: { run: fixtures, what: 'add the demo people and rooms, once' },
  bucket: { run: bucket, what: 'create the bucket (or folder) of the storage' },
  upkeep: { run: upkeep, what: 'delete expired data; run it every day' },
  replay: { run: replay, what: 'try parked events again' },
  acceptance: { run: acceptance, what: 'test the whole chat at PUBLIC_URL, as people use it' },
  doctor: { run: doctor, what: 'check each part, and say how to repair it' },
}

const [name = ''] = process.argv.slice(2)
const task = tasks[name]
if (task === undefined) {
  const lines = Object.entries(tasks).map(([key, { what }]) => `  ${key.padEnd(12)}${what}`)
  process.stderr.write(`usage: node dist/cli.js <task>\n${lines.join('\n')}\n`)
  process.exitCode = 2
} else {
  try {
    const config = readConfig(process.env)
    process.exitCode = await task.run({
      config,
      log: createLog({ name, level: config.logLevel, version: config.version }),
    })
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    process.exitCode = 1
  }
}
