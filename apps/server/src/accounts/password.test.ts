import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { refuseWeak } from './password.js'

const about = { name: 'Anna Petrova', email: 'anna.petrova@example.com' }

describe('a new password', () => {
  it.each([
    ...'1234567890 0987654321 123456789a 1q2w3e4r5t qwertyuiop qwerty1234 Qwerty123! asdfghjkl; 1qaz2wsx3edc zaq12wsxcde3 qazwsxedcrfv'.split(
      ' ',
    ),
    ...'password123 Password123! P@ssw0rd123 PASSWORD1! passwordpassword letmein1234 welcome123 Welcome2024! changeme123 administrator'.split(
      ' ',
    ),
    ...'Admin12345! iloveyou12 iloveyou123! football123 basketball manchester1 liverpool1 christopher Christopher1 sunshine2024!'.split(
      ' ',
    ),
    ...'Summer2024! Winter2025! january2024 abcdefghijk abcabcabcabc 11223344556 1111122222 aa12345678 motherfucker trustno1234'.split(
      ' ',
    ),
    ...'princess123 superman1234 starwars123 pokemon1234 dragon12345 monkey12345 secret12345 testtest123 hello123456 HelloWorld1'.split(
      ' ',
    ),
    'aaaaaaaaaaaaaaa',
    'Petrova2024',
    'anna.petrova1',
  ])('is refused when it is easy to guess, like %s', async (password) => {
    await expect(refuseWeak(password, about)).rejects.toMatchObject({ reason: 'password_is_guessable' })
  })

  it.each([
    ...[...readFileSync('fixtures/demo.sql', 'utf8').matchAll(/^-- sign-in: \S+ \/ (.+)$/gm)].map(
      ([, password = '']) => password,
    ),
    ...[
      'correct horse battery',
      'a whole new one',
      'my cat ate 3 fish',
      'staple-river-moon',
      'kT9#vLq2xZ',
      'футбол на закате',
      'swordfish and chips',
    ],
    'a long password',
    '你好世界今天天气很好吗',
    'correct horse battery '.repeat(9),
  ])('may be %s', async (password) => {
    await refuseWeak(password, about)
  })
})
