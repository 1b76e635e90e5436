// @vitest-environment happy-dom
import { render } from 'preact'
import { describe, expect, it } from 'vitest'

import { Body } from './body.js'

const shown = (text: string) => {
  const place = document.createElement('div')
  render(<Body text={text} />, place)
  return place
}
const linksOf = (text: string) => [...shown(text).querySelectorAll('a')].map((link) => link.getAttribute('href'))

describe('the text of a message', () => {
  it('turns URLs into links that open without a referrer', () => {
    const [link] = shown('see https://werf.io/docs and more').querySelectorAll('a')
    expect(link).toMatchObject({ textContent: 'https://werf.io/docs', target: '_blank' })
    expect(link!.getAttribute('rel')).toContain('noopener')
  })

  it('keeps the punctuation around a URL out of the link', () => {
    expect(linksOf('(https://a.example/x?y=1), http://b.example.')).toEqual([
      'https://a.example/x?y=1',
      'http://b.example',
    ])
  })

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'ftp://a.example',
    'https://',
    'http://[',
    '//a.example',
    'xhttps://a.example',
  ])('does not turn %s into a link', (text) => expect(linksOf(text)).toEqual([]))

  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '"><svg onload=1>',
    '<a href="https://a.example">x</a>',
  ])('shows %s as text', (text) => {
    const place = shown(text)
    expect(place.textContent).toBe(text)
    expect(place.querySelector('script, img, svg')).toBeNull()
  })

  it('keeps every character and every line', () => {
    const text = 'one\n\n  two https://a.example/\nthree 🙂'
    expect(shown(text).textContent).toBe(text)
  })
})
