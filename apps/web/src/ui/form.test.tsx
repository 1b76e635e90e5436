// @vitest-environment happy-dom
import { render } from 'preact'
import { act } from 'preact/test-utils'
import { expect, it } from 'vitest'

import { Field, Form } from './form.js'

it('shows an error and moves the focus to the field that the error is about', async () => {
  const refuse = async () => {
    throw Object.assign(new Error('This email already has an account.'), { field: 'email' })
  }
  const view = (
    <Form action="Create account" send={refuse}>
      <Field label="Name" name="name" focused />
      <Field label="Email" name="email" />
    </Form>
  )
  await act(() => render(view, document.body))
  const focused = () => document.activeElement?.getAttribute('name')
  expect(focused()).toBe('name')
  await act(async () => {
    document.querySelector('form')!.dispatchEvent(new SubmitEvent('submit', { cancelable: true }))
  })
  expect(document.querySelector('[role=alert]')!.textContent).toBe('This email already has an account.')
  expect(focused()).toBe('email')
})
