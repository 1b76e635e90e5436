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
import { createFolderAndRoot } from './storage/folder.js'
import type { Storage } from './storage/storage.js'
import type { Config } from './config.js'
import { createConsumers } from './consumers.js'
import { createSearch } from './search/search.js'
import { createSearchRoutes } from './search/routes.js'
import { createDirect } from './direct/direct.js'
import { createDirectRoutes } from './direct/routes.js'
import { createHttp, createOriginCheck, createSecurityHeaders } from './http/http.js'
import { createLifecycle, createReadiness, type Lifecycle } from './lifecycle.js'
import type { Mailer } from './mail/mailer.js'
import { createMailRoutes } from './mail/routes.js'
import { createMessages } from './messages/messages.js'
import { createMessageRoutes } from './messages/routes.js'
import { registerMessages } from './messages/socket.js'
import { createReactions } from './reactions/reactions.js'
import { registerReactions } from './reactions/socket.js'
import { createNews } from './live/news.js'
import { assetsDirectory } from './http/shell.js'
import { createHttpServer } from './platform/http-server.js'
import { createFaults } from './platform/faults.js'
import { createInProcessBus } from './events/in-process-bus.js'
import { createLimiter } from './platform/limiter.js'
import { createLog, type Log } from './platform/log.js'
import { createRelay } from './events/relay.js'
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

export interface App extends Lifecycle {
  log: Log
  /** A test compares its routes with docs/protocol.md. */
  express: Express
}

/** Parts that a test may replace. */
export interface Replacements {
  log?: Log
  mailer?: Mailer
  storage?: Storage
}

/** The composition root: creates adapters and slices. It connects to Redis at once; everything else begins with `start`. */
export function createApp(config: Config, replacements: Replacements = {}): App {
  const log = replacements.log ?? createLog({ name: 'server', level: config.logLevel, version: config.version })

  // Backing services: real ones when their variables are set, built-in ones otherwise.
  const connections = openConnections(config, log)
  const { db, hints } = connections
  const redis = connections.redis?.client ?? null
  const storage = replacements.storage ?? createStorage(config)
  const mailer = replacements.mailer ?? createMailer(config, db)
  const leaving = new AbortController()
  const isReady = createReadiness({ db, leaving: leaving.signal })
  const sayFault = createFaults(log)

  // Slices. The head watch notes what the sockets of this process receive.
  const news = createNews({
    hints,
    here: {
      deliver: (dispatch) => sockets.deliver(dispatch),
      deliverPosted: (roomId, frames) => sockets.deliverPosted(roomId, frames),
      note: (...numbers) => headWatch.note(...numbers),
    },
  })
  const avatars = createAvatars({ db, storage: createFolderAndRoot(storage, 'avatars'), log })
  const assets = createAssets({ storage: createFolderAndRoot(storage, 'assets'), directory: assetsDirectory })
  const { toPerson, toAccount } = createPeople(config)
  const accounts = createAccounts({ db })
  const sessions = createSessions({ config, db, redis, accounts, news })
  const rooms = createRooms({
    db,
    news,
    toPerson,
    onError: (err) => sayFault({ err }, 'cannot notify a room of its members'),
  })
  const personNews = createPersonNews({
    news,
    accounts,
    rooms,
    toPerson,
    onError: (err) => sayFault({ err }, 'cannot notify rooms of a changed person'),
  })
  const search = createSearch({ db, toPerson })
  const direct = createDirect({ db, rooms, toPerson })
  const messages = createMessages({ db, news, rooms, toPerson })
  const reactions = createReactions({ messages })

  const guesses = createGuesses({ limits: config.limits, redis, accounts, log })
  const signUpLimiter = createLimiter('sign-up', config.limits.signUp, redis, log)
  const inviteLimiter = createLimiter('invite', config.limits.invite, redis, log)
  const uploadLimiter = createLimiter('upload', config.limits.upload, redis, log)
  const roomLimiter = createLimiter('room', config.limits.room, redis, log)
  // Each replica counts alone, because a slow Redis must not delay a message.
  const postLimiter = createLimiter('post', config.limits.post, null, log)
  const searchLimiter = createLimiter('search', config.limits.signal, null, log)
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
      createSearchRoutes({ search, limiter: searchLimiter, requireAccount: signedInOnly }),
      createDirectRoutes({ direct, roomLimiter, requireAccount: signedInOnly }),
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
    register(events) {
      registerMessages(events, { messages, limiter: postLimiter })
      registerReactions(events, { reactions, limiter: postLimiter })
      registerRooms(events, { rooms, limiter: signalLimiter })
      registerTyping(events, { news, accounts, rooms, toPerson, limiter: signalLimiter })
    },
  })
  // Before Express and Socket.IO, so that every response has these headers.
  http.prependListener('request', createSecurityHeaders(config))
  const presence = createPresence({
    db,
    news,
    rooms,
    isConnectedHere: sockets.isConnected,
    onError: (err) => sayFault({ err }, 'cannot store or report presence'),
  })
  const headWatch = createHeadWatch({ sockets: { roomIds: sockets.roomIds, deliver: news.deliver }, messages })

  // With RabbitMQ, the worker handles events and the server only writes them to the outbox.
  const bus = config.bus.kind === 'in-process' ? createInProcessBus({ db }) : null
  const events = bus && {
    bus,
    relay: createRelay({ db, bus, log }),
    consumersFor: (publicUrl: string) => createConsumers({ db, accounts, rooms, messages, mailer, publicUrl }),
  }

  // Outside production only this process serves assets, so no other process needs them.
  const publishAssets = async () => (config.production ? assets.publish() : undefined)
  async function reconcile() {
    await reconcileMemberships({ sockets, rooms })
    await closeEndedSessions({ sockets, sessions })
  }

  const lifecycle = createLifecycle({
    config,
    log,
    connections,
    storage,
    http,
    sockets,
    news,
    events,
    leaving,
    isReady,
    publishAssets,
    repeated: [
      { name: 'heads', ms: 800, work: () => headWatch.look() },
      // While hints arrive there is little to repair.
      { name: 'memberships and sessions', ms: 30_000, work: reconcile },
      { name: 'memberships and sessions without hints', ms: 2_000, work: async () => hints.isHealthy() || reconcile() },
      { name: 'presence', ms: refreshEveryMs, work: () => presence.refresh() },
      { name: 'assets', ms: 5_000, work: publishAssets },
    ],
    notifiers: [presence, rooms, personNews],
  })
  return Object.assign(lifecycle, { log, express })
}
