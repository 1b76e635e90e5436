import { deleteOldMail } from '../mail/upkeep.js'
import { deleteStalePresence } from '../presence/upkeep.js'
import { deleteEndedSessions } from '../sessions/ended-sessions.js'
import { deleteExpiredSessions } from '../sessions/postgres-session-store.js'
import { withDatabase, type Task } from './task.js'

export const upkeep: Task = ({ config, log }) =>
  withDatabase(config, async (db) => {
    const deleted = {
      sessions: await deleteExpiredSessions(db),
      endedSessions: await deleteEndedSessions(db),
      presence: await deleteStalePresence(db),
      mails: await deleteOldMail(db),
    }
    log.info({ deleted }, 'expired data is deleted')
    return 0
  })
