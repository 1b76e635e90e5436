// @vitest-environment happy-dom
import { render } from 'preact'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { Room, RoomPage } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import { BrowseRooms } from './browse-rooms.js'

const all = Array.from({ length: 75 }, (_, index): Room => {
  const name = `Room ${String(index + 1).padStart(2, '0')}`
  return {
    id: name,
    name,
    kind: 'public',
    joined: false,
    head: 0,
    version: 0,
    read: 0,
    unread: 0,
    people: [],
    mentions: 0,
    notify: 'mentions',
    topic: '',
    archived: false,
    mine: false,
  }
})
const pageOf = (query: URLSearchParams): RoomPage => {
  const [search, after] = [query.get('search') ?? '', query.get('after') ?? '']
  const rooms = all.filter(({ name }) => name.includes(search) && name > after)
  return { rooms: rooms.slice(0, 30), next: rooms[30] ? rooms[29]!.name : null }
}

/** Open requests. The test answers them. */
let asked: { search: string | null; after: string | null; answer: (status?: number) => Promise<void> }[]
const root = document.body
const close = vi.fn()
let open: (room: Room) => void
const chat = (own: Room[] = []) =>
  ({
    connection: { count: 1 },
    rooms: { list: own },
    onRoomOpened: (listener: typeof open) => {
      open = listener
      return () => undefined
    },
  }) as unknown as Chat
const pass = async (ms: number) => void (await vi.advanceTimersByTimeAsync(ms))
const shown = () => [...root.querySelectorAll('a')].map(({ textContent }) => textContent)
const status = () => root.querySelector('[role=status]')!.textContent
const button = (name: string) => [...root.querySelectorAll('button')].find(({ textContent }) => textContent === name)
const type = (text: string) => {
  const field = root.querySelector('input')!
  field.value = text
  field.dispatchEvent(new Event('input', { bubbles: true }))
  return pass(10)
}

beforeEach(async () => {
  vi.useFakeTimers()
  asked = []
  close.mockClear()
  vi.stubGlobal(
    'fetch',
    (path: string) =>
      new Promise((resolve) => {
        const query = new URL(path, 'http://chat.example').searchParams
        const answer = (code = 200) => {
          resolve(
            code === 200
              ? Response.json(pageOf(query))
              : Response.json({ error: { code: 'fault', message: 'Something went wrong.' } }, { status: code }),
          )
          return pass(100)
        }
        asked.push({ search: query.get('search'), after: query.get('after'), answer })
      }),
  )
  render(<BrowseRooms chat={chat()} onClose={close} />, root)
  await pass(100)
})
afterEach(() => {
  render(null, root)
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('browsing rooms', () => {
  it('starts with the first page, and “Show more” moves the focus to the first new room', async () => {
    await asked[0]!.answer()
    expect([shown().length, status()]).toEqual([30, '30+ to join'])
    for (const [page, length, after] of [
      [1, 60, 'Room 30'],
      [2, 75, 'Room 60'],
    ] as const) {
      button('Show more')!.click()
      await asked[page]!.answer()
      expect(asked[page]).toMatchObject({ search: null, after })
      expect(shown()).toEqual(all.slice(0, length).map(({ name }) => name))
      expect(document.activeElement!.textContent).toBe(all[page * 30]!.name)
    }
    expect([button('Show more'), status()]).toEqual([undefined, '75 to join'])
  })

  it('searches after a pause in typing, not at each letter', async () => {
    await asked[0]!.answer()
    for (const text of ['R', 'Ro', 'Room 7', ' Room 7 ']) await type(text)
    await pass(1000)
    expect(asked.slice(1).map(({ search }) => search)).toEqual(['Room 7'])
    await asked[1]!.answer()
    expect([shown().length, status()]).toEqual([6, '6 to join'])
  })

  it('shows the answer to the last search, in whatever order the answers arrive', async () => {
    await asked[0]!.answer()
    await type('Room 1')
    await pass(1000)
    await type('Room 2')
    await pass(1000)
    await asked[2]!.answer()
    await asked[1]!.answer()
    expect(shown()).toEqual(all.slice(19, 29).map(({ name }) => name))
    // The same for the next page of an older search.
    await type('')
    await pass(1000)
    await asked[3]!.answer()
    button('Show more')!.click()
    await type('Room 3')
    await pass(1000)
    await asked[5]!.answer()
    await asked[4]!.answer()
    expect(shown()).toEqual(all.slice(29, 39).map(({ name }) => name))
  })

  it('says that no rooms match', async () => {
    await asked[0]!.answer()
    await type('Attic')
    await pass(1000)
    await asked[1]!.answer()
    expect([shown(), status()]).toEqual([[], 'No other rooms match “Attic”.'])
  })

  it('shows an error, and tries the same page again', async () => {
    await asked[0]!.answer()
    button('Show more')!.click()
    await asked[1]!.answer(500)
    expect(root.querySelector('[role=alert]')!.textContent).toContain('Something went wrong.')
    expect(shown()).toHaveLength(30)
    button('Try again')!.click()
    await asked[2]!.answer()
    expect(asked[2]).toMatchObject({ after: 'Room 30' })
    expect([shown().length, root.querySelector('[role=alert]')]).toEqual([60, null])
  })

  it('shows a new room at once in its place, and does not move the focus', async () => {
    await asked[0]!.answer()
    button('Show more')!.click()
    await asked[1]!.answer()
    root.querySelector('input')!.focus()
    const opened = async (name: string) => {
      open({ ...all[0]!, id: name, name })
      await pass(10)
    }
    for (const name of ['room 07 and a half', 'Attic', 'Room 70 and a half']) await opened(name)
    // The last one belongs to a page that is not loaded yet.
    expect(shown().slice(0, 9)).toEqual(['Attic', ...all.slice(0, 7).map(({ name }) => name), 'room 07 and a half'])
    expect([shown().length, status(), document.activeElement!.tagName]).toEqual([62, '62+ to join', 'INPUT'])
    await type('Room 7')
    await pass(1000)
    await asked[2]!.answer()
    await opened('Cellar')
    await opened('Room 7 again')
    expect(shown()).toEqual(['Room 7 again', ...all.slice(69).map(({ name }) => name)])
    // Joined rooms are not listed.
    render(<BrowseRooms chat={chat([all[69]!])} onClose={close} />, root)
    await pass(100)
    expect(shown()).not.toContain('Room 70')
  })

  it('closes when a room is opened, and stays open for a room in a new tab', async () => {
    await asked[0]!.answer()
    const click = (more: MouseEventInit = {}) =>
      root.querySelector('a')!.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, ...more }))
    click({ ctrlKey: true })
    expect(close).not.toHaveBeenCalled()
    click()
    expect(close).toHaveBeenCalledOnce()
    expect(location.pathname).toBe('/rooms/Room%2001')
  })
})
