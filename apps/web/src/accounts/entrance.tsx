import { limits, type Account } from '@chat/server/contract'

import { api } from '../api.js'
import { Link, useTitle } from '../router.js'
import { Field, Form } from '../ui/form.js'

/** The page to sign in or, with `signUp`, to sign up. Calls `onSignedIn` with the account. */
export function Entrance({ signUp, onSignedIn }: { signUp: boolean; onSignedIn: (account: Account) => void }) {
  const title = signUp ? 'Sign up' : 'Sign in'
  useTitle(title)
  const send = async ({ name = '', email = '', password = '' }: Record<string, string>) =>
    onSignedIn(await (signUp ? api.signUp({ name, email, password }) : api.signIn({ email, password })))
  return (
    <main class="entrance">
      <div class="sheet">
        <p class="brand">Chat</p>
        <h1>{title}</h1>
        <Form key={title} action={signUp ? 'Create account' : 'Sign in'} send={send}>
          {signUp && <Field label="Name" name="name" autocomplete="name" maxLength={limits.name} focused />}
          <Field
            label="Email"
            name="email"
            type="email"
            autocomplete={signUp ? 'email' : 'username'}
            focused={!signUp}
          />
          <Field
            label="Password"
            name="password"
            type="password"
            autocomplete={signUp ? 'new-password' : 'current-password'}
            {...(signUp && { minLength: limits.password.min, hint: `${limits.password.min} characters or more.` })}
          />
        </Form>
        <p class="subtle entrance-other">
          {signUp ? 'Already have an account? ' : 'New here? '}
          <Link to={(signUp ? '/sign-in' : '/sign-up') + location.search}>{signUp ? 'Sign in' : 'Sign up'}</Link>
        </p>
      </div>
    </main>
  )
}
