import { useEffect, useState } from 'preact/hooks'

import { limits } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { Link, useTitle } from '../router.js'
import { Field, Form } from '../ui/form.js'
import { useChanges } from '../ui/hooks.js'
import { Icon } from '../ui/icon.js'
import { Avatar, Name } from '../ui/person.js'

const pictureTypes: readonly string[] = limits.picture.types
const pictureSize = `${limits.picture.bytes / 1024 ** 2} MB`

/** The profile page: avatar, name, password, sign out. */
export function Profile({ chat }: { chat: Chat }) {
  useChanges(chat.me)
  useTitle('Profile')
  const [preview, setPreview] = useState<string | null>(null)
  useEffect(
    () => () => {
      if (preview) URL.revokeObjectURL(preview)
    },
    [preview],
  )

  const changeAvatar = async (form: HTMLFormElement) => {
    const picture = form.querySelector('input')!.files![0]!
    try {
      if (!pictureTypes.includes(picture.type) || picture.size > limits.picture.bytes)
        throw new Error(`Choose a JPEG, PNG or WebP picture of up to ${pictureSize}.`)
      chat.me.change(await api.changeAvatar(picture))
    } finally {
      // Show the stored avatar again, also after an error.
      form.reset()
      setPreview(null)
    }
    return 'Picture saved.'
  }

  return (
    <main class="page">
      <header class="profile-head">
        <Link to="/" class="icon-button" label="Back to rooms">
          <Icon name="back" />
        </Link>
        <h1>Profile</h1>
      </header>
      <section class="sheet profile-who">
        <Avatar person={{ ...chat.me.account, avatarUrl: preview ?? chat.me.account.avatarUrl }} large />
        <div>
          <p class="profile-name">
            <Name>{chat.me.account.name}</Name>
          </p>
          <p class="subtle">{chat.me.account.email}</p>
        </div>
      </section>
      <section class="sheet">
        <h2>Picture</h2>
        <Form action="Save picture" send={(_, form) => changeAvatar(form)}>
          <Field
            label="Avatar"
            name="avatar"
            type="file"
            accept={pictureTypes.join()}
            hint={`JPEG, PNG or WebP, up to ${pictureSize}.`}
            onInput={({ currentTarget: { files } }) => setPreview(files?.[0] ? URL.createObjectURL(files[0]) : null)}
          />
        </Form>
      </section>
      <section class="sheet">
        <h2>Name</h2>
        <Form
          action="Save name"
          send={async ({ name = '' }) => {
            chat.me.change(await api.changeMe({ name }))
            return 'Name saved.'
          }}
        >
          <Field label="Name" name="name" initial={chat.me.account.name} autocomplete="name" maxLength={limits.name} />
        </Form>
      </section>
      <section class="sheet">
        <h2>Password</h2>
        <Form
          action="Change password"
          send={async ({ password = '', currentPassword = '' }, form) => {
            await api.changeMe({ password, currentPassword })
            form.reset()
            return 'Password changed. Your other devices are signed out.'
          }}
        >
          <Field label="Current password" name="currentPassword" type="password" autocomplete="current-password" />
          <Field
            label="New password"
            name="password"
            type="password"
            autocomplete="new-password"
            minLength={limits.password.min}
            hint={`${limits.password.min} characters or more.`}
          />
        </Form>
      </section>
      <section class="sheet">
        <h2>This device</h2>
        <Form action="Sign out" send={chat.signOut} />
      </section>
    </main>
  )
}
