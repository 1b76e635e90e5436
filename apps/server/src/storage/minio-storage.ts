import { randomUUID } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { buffer } from 'node:stream/consumers'
import { Client, S3Error } from 'minio'
import type { S3Config } from '../config.js'
import { within } from '../platform/deadline.js'
import { Unavailable } from '../platform/errors.js'
import type { Storage } from './storage.js'

const callMs = 5_000

/** Files in a bucket of any S3 service. */
export function createMinioStorage({ endpoint, port, ssl, accessKey, secretKey, bucket, region }: S3Config): Storage {
  const client = new Client({
    endPoint: endpoint,
    port,
    useSSL: ssl,
    accessKey,
    secretKey,
    // Without one each bucket costs a request more.
    region,
    // Somebody is waiting: an error now is better than an answer later.
    retryOptions: { disableRetry: true },
    transport: { request: requestWithDeadline(ssl ? https : http) },
  })
  const call = <Result>(work: Promise<Result>) => within(callMs, 'S3', work).catch(rethrow)
  const exists = () => call(client.bucketExists(bucket))

  return {
    async put(key, content, contentType) {
      // A browser may get it from the bucket itself, through CDN_PREFIX.
      const headers = { 'Content-Type': contentType, 'Cache-Control': 'public, max-age=31536000, immutable' }
      await call(client.putObject(bucket, key, content, content.length, headers))
    },

    async get(key) {
      try {
        return await call(client.getObject(bucket, key).then(buffer))
      } catch (error) {
        if (error instanceof S3Error && error.code === 'NoSuchKey') return null
        throw error
      }
    },

    async remove(key) {
      await call(client.removeObject(bucket, key))
    },

    async prepare() {
      if (await exists()) return
      try {
        await call(client.makeBucket(bucket))
      } catch (error) {
        // Somebody else was faster, perhaps.
        if (!(await exists())) throw error
      }
    },

    async check() {
      const key = `check-${randomUUID()}.webp`
      await call(client.putObject(bucket, key, Buffer.from('check')))
      await call(client.removeObject(bucket, key))
    },
  }
}

/** What S3 itself answers is an S3Error; other errors are about the way there. */
function rethrow(error: unknown): never {
  const isAnswer = error instanceof S3Error && !/^(InternalError|ServiceUnavailable|SlowDown)$/.test(error.code ?? '')
  throw isAnswer ? error : new Unavailable('S3 is not available', error)
}

/** The client cannot call a request off, and one that is never answered would keep its connection for ever. */
function requestWithDeadline({ request }: Pick<typeof http, 'request'>): typeof http.request {
  const send = (options: http.RequestOptions, answer: (response: http.IncomingMessage) => void) =>
    request({ ...options, signal: AbortSignal.timeout(callMs + 1_000) }, answer)
  return send as typeof http.request
}
