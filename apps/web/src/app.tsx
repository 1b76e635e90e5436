import { useEffect, useRef, useState } from 'preact/hooks'

import type { Account, WebConfig } from '@chat/server/contract'

import { api, isSignedOut } from './api.js'
import { createChat } from './chat/chat.js'
import { connectTo } from './chat/connection.js'
import { showNotification } from './messages/notifications.js'
import { RoomsPage } from './rooms/rooms-page.js'
import { navigate, usePath } from './router.js'
import { later } from './ui/later.js'
import { Wait } from './ui/wait.js'

const Entrance = later('Entrance', () => import(/* webpackChunkName: "entrance" */ './accounts/entrance.js'))
const Profile = later('Profile', () => import(/* webpackChunkName: "profile" */ './accounts/profile.js'))

type State = { config: WebConfig; account: Account | null } | { problem: string } | null

/** Loads the configuration and the account, and shows the page of the current path. */
export function App() {
  const path = usePath()
  const [state, setState] = useState<State>(null)

  const begin = async () => {
    setState(null)
    try {
      const [config, account] = await Promise.all([api.config(), whoAmI()])
      setState({ config, account })
    } catch (error) {
      setState({ problem: (error as Error).message })
    }
  }
  useEffect(() => void begin(), [])
  // Try again without a click: the server may be unavailable only for a moment.
  useEffect(() => {
    const timer = state && 'problem' in state ? setTimeout(() => void begin(), 2_000) : undefined
    return () => clearTimeout(timer)
  }, [state])

  const atEntrance = path === '/sign-in' || path === '/sign-up'
  const account = state && 'account' in state ? state.account : undefined
  useEffect(() => {
    if (account && atEntrance) navigate(wantedPath(), { replace: true })
    if (account !== null || atEntrance || !state || !('config' in state)) return
    const login = new URL(state.config.loginUrl || '/sign-in', location.href)
    if (login.origin === location.origin && login.pathname === '/sign-in')
      navigate(path === '/' ? '/sign-in' : `/sign-in?to=${path}`, { replace: true })
    else location.assign(login)
  }, [account, atEntrance])

  if (!state || 'problem' in state)
    return (
      <main>
        <Wait problem={state?.problem ?? null} retry={() => void begin()} />
      </main>
    )
  const setAccount = (changed: Account | null) => setState({ ...state, account: changed })
  if (!state.account) return atEntrance ? <Entrance signUp={path === '/sign-up'} onSignedIn={setAccount} /> : null
  return (
    <SignedIn
      key={state.account.id}
      account={state.account}
      config={state.config}
      path={path}
      onSignedOut={() => setAccount(null)}
    />
  )
}

type SignedInProps = { account: Account; config: WebConfig; path: string; onSignedOut: () => void }

function SignedIn({ account, config, path, onSignedOut }: SignedInProps) {
  const [chat] = useState(() =>
    createChat({ account, connect: () => connectTo(config.domain), onWanted: showNotification, onSignedOut }),
  )
  useEffect(() => chat.close, [chat])
  const [, roomId = null, linked] = /^\/rooms\/([^/]+)(?:\/(\d+))?$/.exec(path) ?? []
  // A visit that starts at / or at the sign-in page leads to the last open room. Later, / shows the list of rooms.
  const arriving = useRef(['/', '/sign-in', '/sign-up'].includes(path))
  if (roomId || path === '/profile') arriving.current = false
  return path === '/profile' ? (
    <Profile chat={chat} />
  ) : (
    <RoomsPage chat={chat} roomId={roomId} linked={Number(linked) || null} arriving={arriving.current} />
  )
}

/** The path to open after signing in. It must be a path of this site, because anybody can write such a link. */
const wantedPath = () => {
  const to = new URLSearchParams(location.search).get('to') ?? ''
  return /^\/[\w/-]*$/.test(to) && !to.startsWith('//') ? to : '/'
}

const whoAmI = async () => {
  try {
    return await api.me()
  } catch (error) {
    if (isSignedOut(error)) return null
    throw error
  }
}
