import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Express } from 'express'
import { createMailer, createStorage, openConnections } from './adapters.js'
import { createAccounts } from './accounts/accounts.js'
import { createPeople } from './accounts/person.js'
import { createPersonNews } from './accounts/person-news.js'
import { createAccountRoutes } from './accounts/routes.js'
import { createAssets } from './assets/assets.js'
import { createAssetRoutes } from './assets/routes.js'
import { createAvatars } from './avatars/avatars.js'
import { createAvatarRoutes } from './avatars/routes.js'
import type { Storage } from './storage/storage.js'
import type { Config } from './config.js'
import { createConsumers } from './consumers.js'
import { createHttp, createOriginCheck, createSecurityHeaders, isLoopback } from './http/http.js'
import type { Mailer } from './mail/mailer.js'
import { createMailRoutes } from './mail/routes.js'
import { createMessages } from './messages/messages.js'
import { createMessageRoutes } from './messages/routes.js'
import { registerMessages } from './messages/socket.js'
import { createNews, type Dispatch } from './live/news.js'
import { assetsDirectory } from './http/shell.js'
import { within } from './platform/deadline.js'
import { createHttpServer } from './platform/http-server.js'
import { createFaults } from './platform/faults.js'
import { createInProcessBus } from './events/in-process-bus.js'
import { createLimiter } from './platform/limiter.js'
import { createLog, type Log } from './platform/log.js'
import { startOpsServer, type OpsServer } from './platform/ops-server.js'
import { createRelay } from './events/relay.js'
import { repeat } from './platform/repeat.js'
import { compareSchema, untilSchemaIsCurrent } from './platform/schema.js'
import { createPresence, refreshEveryMs } from './presence/presence.js'
import { registerTyping } from './typing/socket.js'
import { closeEndedSessions, createHeadWatch, reconcileMemberships } from './live/reconcile.js'
import { createRooms } from './rooms/rooms.js'
import { createRoomRoutes } from './rooms/routes.js'
import { registerRooms } from './rooms/socket.js'
import { createGuesses } from './sessions/guesses.js'
import { createSessionRoutes } from './sessions/routes.js'
import { createSessions, requireAccount } from './sessions/sessions.js'
import { createSockets } from './live/sockets.js'

const startPatienceMs = 3_000

export interface App {
  log: Log
  /** Where people reach it, and the port it listens on; known once started. */
  url: string
  port: number
  /** What answers requests: the protocol's description is held against its routes. */
  express: Express
  start(): Promise<void>
  stop(): Promise<void>
}

/** What a test may put in place of what the configuration asks for. */
export interface Replacements {
  log?: Log
  mailer?: Mailer
  storage?: Storage
}

/** The composition root: the only file that picks adapters and joins slices. Nothing connects before `start`. */
export function createApp(config: Config, replacements: Replacements = {}): App {
  const log = replacements.log ?? createLog({ name: 'server', level: config.logLevel, version: config.version })

  // Backing services: the real one where an address is given, the built-in one otherwise.
  const connections = openConnections(config, log)
  const { db, hints } = connections
  const redis = connections.redis?.client ?? null
  const storage = replacements.storage ?? createStorage(config)
  const mailer = replacements.mailer ?? createMailer(config, db)
  // With RabbitMQ events are the worker's business: the server only writes them down.
  const bus = config.bus.kind === 'in-process' ? createInProcessBus({ db }) : null
  const relay = bus === null ? null : createRelay({ db, bus, log })

  const sayFault = createFaults(log)

  // Slices. News passes the head watch on its way to the sockets of this process.
  const deliver = (dispatch: Dispatch) => {
    headWatch.note(dispatch)
    sockets.deliver(dispatch)
  }
  const news = createNews({ hints, deliver })
  const avatars = createAvatars({ db, storage, log })
  const assets = createAssets({ storage, directory: assetsDirectory })
  const { toPerson, toAccount } = createPeople(config)
  const accounts = createAccounts({ db })
  const sessions = createSessions({ config, db, redis, accounts, news })
  const rooms = createRooms({
    db,
    news,
    toPerson,
    onError: (err) => sayFault({ err }, 'a room not told of its members'),
  })
  const personNews = createPersonNews({
    news,
    accounts,
    rooms,
    toPerson,
    onError: (err) => sayFault({ err }, 'a person’s change not told'),
  })
  const messages = createMessages({ db, news, rooms, toPerson })

  const guesses = createGuesses({ limits: config.limits, redis, accounts, log })
  const signUpLimiter = createLimiter('sign-up', config.limits.signUp, redis, log)
  const inviteLimiter = createLimiter('invite', config.limits.invite, redis, log)
  const uploadLimiter = createLimiter('upload', config.limits.upload, redis, log)
  const roomLimiter = createLimiter('room', config.limits.room, redis, log)
  // Counted by each replica alone: a slow Redis must not delay a message.
  const postLimiter = createLimiter('post', config.limits.post, null, log)
  const signalLimiter = createLimiter('signal', config.limits.signal, null, log)

  const checkOrigin = createOriginCheck(config.publicUrl)
  const signedInOnly = requireAccount(sessions)
  const express = createHttp({
    config,
    log,
    sessions,
    checkOrigin,
    isReady,
    routers: [
      createAccountRoutes({
        accounts,
        sessions,
        rooms,
        news,
        personNews,
        guesses,
        limiter: signUpLimiter,
        requireAccount: signedInOnly,
        toAccount,
      }),
      createSessionRoutes({ accounts, sessions, guesses, toAccount }),
      createAvatarRoutes({
        avatars,
        accounts,
        personNews,
        limiter: uploadLimiter,
        requireAccount: signedInOnly,
        toAccount,
      }),
      createRoomRoutes({ rooms, accounts, roomLimiter, inviteLimiter, requireAccount: signedInOnly }),
      createMessageRoutes({ messages, requireAccount: signedInOnly }),
      createAssetRoutes({ assets }),
      ...(config.mail.kind === 'mailbox' ? [createMailRoutes({ db, onlyOwn: config.production, sessions })] : []),
    ],
  })
  const http = createHttpServer(express, log)
  const sockets = createSockets({
    http,
    log,
    sessions,
    rooms,
    checkOrigin,
    onArrival: (accountId) => presence.arrived(accountId),
    onDeparture: (accountId) => presence.departed(accountId),
    register(socket) {
      registerMessages(socket, { messages, limiter: postLimiter })
      registerRooms(socket, { rooms, limiter: signalLimiter })
      registerTyping(socket, { news, accounts, rooms, toPerson, limiter: signalLimiter })
    },
  })
  // Before both: neither Express nor Socket.IO answers without them.
  http.prependListener('request', createSecurityHeaders(config))
  const presence = createPresence({
    db,
    news,
    rooms,
    isConnectedHere: sockets.isConnected,
    onError: (err) => sayFault({ err }, 'presence not noted'),
  })
  const headWatch = createHeadWatch({ sockets, messages })

  const leaving = new AbortController()
  let schemaIsCurrent = false
  let verdict: Promise<boolean> | undefined
  /** Anybody may ask, and as often as they like: the database is asked once a second at most. */
  async function isReady(): Promise<boolean> {
    verdict ??= askDatabase().finally(() => setTimeout(() => (verdict = undefined), 1_000).unref())
    return !leaving.signal.aborted && (await verdict) && !leaving.signal.aborted
  }
  async function askDatabase(): Promise<boolean> {
    try {
      // In a flood every connection is busy, and that is no reason to send people elsewhere.
      if (schemaIsCurrent && db.isAnswering()) return true
      if (schemaIsCurrent) await db.query('select 1')
      else schemaIsCurrent = (await compareSchema(db)).missing.length === 0
      return schemaIsCurrent
    } catch {
      return false
    }
  }

  let ops: OpsServer
  let repeated: { stop(): Promise<void> }[] = []

  const app: App = {
    log,
    url: '',
    port: 0,
    express,

    async start() {
      log.info(
        {
          database: 'postgres',
          sessions: config.sessions.store.kind,
          bus: config.bus.kind,
          storage: config.storage.kind,
          mail: config.mail.kind,
        },
        'starting with these adapters',
      )
      if (config.storage.kind === 'disk') await storage.prepare()
      // Whoever comes first should find a session, hear of everything and get the assets. Without Redis or storage it starts all the same.
      await within(
        startPatienceMs,
        'Waiting for Redis and storage',
        Promise.allSettled([connections.redis?.ready, hints.ready, publishAssets()]),
      ).catch(() => undefined)
      http.listen(config.port, config.host)
      await once(http, 'listening')
      app.port = (http.address() as AddressInfo).port
      app.url = config.publicUrl ?? `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${app.port}`
      if (config.publicUrl === null && !isLoopback(config.host)) {
        log.warn({ host: config.host }, 'only localhost is answered. Set PUBLIC_URL to the address that people type')
      }
      ops = await startOpsServer({ host: config.host, port: config.metricsPort, version: config.version, isReady })

      if (bus !== null)
        for (const consumer of createConsumers({ db, accounts, rooms, messages, mailer, publicUrl: app.url }))
          await bus.subscribe(consumer)
      if (relay !== null)
        void untilSchemaIsCurrent(db, { log, signal: leaving.signal }).then(
          () => relay.start(),
          () => undefined,
        )
      repeated = [
        repeat({ name: 'heads', ms: 800, log, work: () => headWatch.look() }),
        repeat({ name: 'memberships and sessions', ms: 2_000, log, work: reconcileInDoubt }),
        repeat({ name: 'presence', ms: refreshEveryMs, log, work: () => presence.refresh() }),
        repeat({ name: 'assets', ms: 5_000, log, work: publishAssets }),
      ]
    },

    /** /readyz turns red first; once traffic has moved away, what is in hand is finished, and things close in reverse order. */
    async stop() {
      leaving.abort()
      // Others take the events from here on: they may already do with them what this process does not know about.
      const relayed = relay?.stop()
      await sleep(config.drainMs)
      await sockets.drain(config.drainMs)
      await Promise.all(repeated.map((work) => work.stop()))
      await Promise.all([presence.stop(), rooms.stop(), personNews.stop()])
      await relayed
      await bus?.close()
      ops?.close()
      await connections.close()
    },
  }

  let published = !config.production // where nothing but this process serves assets
  async function publishAssets() {
    if (published) return
    await assets.publish()
    published = true
  }

  // While hints arrive there is little to mend: one look in a while. In doubt, one every two seconds.
  let looks = 0
  async function reconcileInDoubt() {
    looks += 1
    if (hints.isHealthy() && looks % 15 !== 0) return
    await reconcileMemberships({ sockets, rooms })
    await closeEndedSessions({ sockets, sessions })
  }

  return app
}
