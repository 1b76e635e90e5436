import { describe, expect, it } from 'vitest'
import { mentionedIn, namesEveryone } from './mentioned.js'

const people = [
  { id: 'ann', name: 'Ann' },
  { id: 'archer', name: 'Ann Archer' },
  { id: 'ivan', name: 'Иван' },
  { id: 'ann2', name: 'ann' },
  { id: 'dots', name: 'B.B. (ops)' },
]
const idsIn = (body: string) => mentionedIn(body, people).map(({ id }) => id)

describe('whom a text names', () => {
  it.each<[string, string[]]>([
    ['@Ann Archer, please', ['archer']],
    ['@ann archer', ['archer']],
    ['@Ann, please', ['ann', 'ann2']],
    ['(@Иван) и @ИВАН!', ['ivan']],
    ['@B.B. (ops): look', ['dots']],
    ['@Ann Archer and @Ann', ['archer', 'ann', 'ann2']],
    ['@Annika', []],
    ['ann@Ann', []],
    ['@', []],
    ['@ Ann', []],
    ['no names', []],
  ])('%s', (body, ids) => expect(idsIn(body)).toEqual(ids))

  it('has the name as it is written and as it is', () => {
    expect(mentionedIn('hi @ANN archer', people)).toEqual([{ id: 'archer', name: 'Ann Archer', written: 'ANN archer' }])
  })

  it.each([
    ['@room look', true],
    ['look, @Room!', true],
    ['@rooms', false],
    ['room', false],
    ['my@room', false],
  ])('%s names everyone: %s', (body, is) => expect(namesEveryone(body)).toBe(is))
})
