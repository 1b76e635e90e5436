import { hostname } from 'node:os'
import { pino, type Logger } from 'pino'

export type Log = Logger

/** JSON lines on standard output, with times in UTC. Never log email addresses, IP addresses, cookies or bodies. */
export function createLog(options: { name: string; level: string; version?: string }): Log {
  return pino({
    name: options.name,
    level: options.level,
    base: { pid: process.pid, hostname: hostname(), version: options.version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // A second protection, in case code logs a whole object.
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
