// @vitest-environment happy-dom
import { render } from 'preact'
import { describe, expect, it } from 'vitest'

import type { Mention } from '@chat/server/contract'

import { createRandom } from '../../../../tools/test/random.js'
import { Body } from './body.js'

const shown = (text: string, mentions: Mention[] = []) => {
  const place = document.createElement('div')
  render(<Body text={text} mentions={mentions} me="ann" />, place)
  return place
}
const linksOf = (text: string) => [...shown(text).querySelectorAll('a')].map((link) => link.getAttribute('href'))

describe('the text of a message', () => {
  it('turns URLs into links that open without a referrer', () => {
    const [link] = shown('see https://werf.io/docs and more').querySelectorAll('a')
    expect(link).toMatchObject({ textContent: 'https://werf.io/docs', target: '_blank' })
    expect(link!.getAttribute('rel')).toContain('noopener')
  })

  it('names the host of a link with a title', () => {
    expect(shown('[bank.example](https://evil.example/x)').textContent).toBe('bank.example (evil.example)')
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

  it('keeps every character and every line of text without marks', () => {
    const text = 'one\n\n  two https://a.example/\nthree 🙂'
    expect(shown(text).textContent).toBe(text)
  })

  it('has large emoji when there is nothing else', () => {
    expect(shown('🎉').querySelector('.body--emoji')).not.toBeNull()
    expect(shown('well 🎉').querySelector('.body--emoji')).toBeNull()
  })

  it('shows the current names of people, and one’s own in its own way', () => {
    const mentions = [
      { id: 'ben', name: 'Benedict', written: 'Ben (ops)' },
      { id: 'ann', name: 'Ann', written: 'ann' },
    ]
    const place = shown('**@ben (OPS)**, @ann and @annika', mentions)
    expect(place.textContent).toBe('@Benedict, @Ann and @annika')
    expect([...place.querySelectorAll('.mention')].map(({ className }) => className)).toEqual([
      'mention',
      'mention mention--own',
    ])
    expect(shown('@room', [{ id: null, name: 'room', written: 'room' }]).querySelector('.mention--own')).not.toBeNull()
  })

  it('makes no other elements and no other links, whatever the text is', () => {
    const allowed = 'A BLOCKQUOTE CODE DEL DIV EM LI OL P PRE SPAN STRONG UL'.split(' ')
    const parts =
      '** * _ __ ~~ ` ``` > - 1. [ ] ( ) < > " \' \\ & \n \n javascript: data:text/html, https:// http://a.example/ x y <img onerror=x> <!-- &lt; \u202e \u0000 🎉'.split(
        ' ',
      )
    const random = createRandom(7)
    for (let round = 0; round < 3_000; round += 1) {
      const text = Array.from({ length: 1 + Math.floor(random() * 30) }, () => {
        const part = parts[Math.floor(random() * parts.length)]!
        return random() < 0.5 ? part : `${part} `
      }).join('')
      const place = shown(text)
      const others = [...place.querySelectorAll('*')].filter(({ tagName }) => !allowed.includes(tagName))
      const links = [...place.querySelectorAll('a')].filter((link) => !/^https?:\/\//.test(link.getAttribute('href')!))
      expect({ text, others, links }).toEqual({ text, others: [], links: [] })
    }
  })
})
