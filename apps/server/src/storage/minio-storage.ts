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

/** Stores files in a bucket of any S3 service. */
export function createMinioStorage({ endpoint, port, ssl, accessKey, secretKey, bucket, region }: S3Config): Storage {
  const client = new Client({
    endPoint: endpoint,
    port,
    useSSL: ssl,
    accessKey,
    secretKey,
    // Without a region the client sends one more request for each bucket.
    region,
    // A user waits for the response: an early error is better than a late success.
    retryOptions: { disableRetry: true },
    transport: { request: requestWithDeadline(ssl ? https : http) },
  })
  const call = <Result>(work: Promise<Result>) => within(callMs, 'S3', work).catch(rethrow)
  const exists = () => call(client.bucketExists(bucket))

  return {
    async put(key, content, contentType) {
      // With CDN_PREFIX, browsers load the file from the bucket.
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
        // Another replica may have created the bucket in the meantime.
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

/** An S3Error is an answer of S3. Other errors mean that S3 cannot be reached. */
function rethrow(error: unknown): never {
  const isAnswer = error instanceof S3Error && !/^(InternalError|ServiceUnavailable|SlowDown)$/.test(error.code ?? '')
  throw isAnswer ? error : new Unavailable('S3 is not available', error)
}

/** The S3 client cannot cancel a request. Without a deadline, an unanswered request keeps its connection for ever. */
function requestWithDeadline({ request }: Pick<typeof http, 'request'>): typeof http.request {
  const send = (options: http.RequestOptions, answer: (response: http.IncomingMessage) => void) =>
    request({ ...options, signal: AbortSignal.timeout(callMs + 1_000) }, answer)
  return send as typeof http.request
}
