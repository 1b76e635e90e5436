import { hostname } from 'node:os'
import { pino, type Logger } from 'pino'

export type Log = Logger

/** JSON lines on standard output, times in UTC. Addresses, cookies and bodies are never passed to it. */
export function createLog(options: { name: string; level: string; version?: string }): Log {
  return pino({
    name: options.name,
    level: options.level,
    base: { pid: process.pid, hostname: hostname(), version: options.version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // The last line of defence, should somebody log a whole object.
    redact: [
      'password',
      '*.password',
      'headers.cookie',
      '*.headers.cookie',
      '*.headers.authorization',
      'cookieSecret',
      '*.secretKey',
      '*.apiKey',
    ],
  })
}
