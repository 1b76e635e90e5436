import { readFile } from 'node:fs/promises'
import { withDatabase, type Task } from './task.js'

const file = new URL('../../../../fixtures/demo.sql', import.meta.url)

export const fixtures: Task = ({ config, log }) =>
  withDatabase(config, async (db) => {
    await db.query(await readFile(file, 'utf8'))
    log.info('the demo people and rooms exist')
    return 0
  })
