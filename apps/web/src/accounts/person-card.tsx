import { useState } from 'preact/hooks'

import type { Person } from '@chat/server/contract'

import type { Chat } from '../chat/chat.js'
import { navigate } from '../router.js'
import { Alert } from '../ui/alert.js'
import { Avatar, Name } from '../ui/person.js'
import { Popover } from '../ui/popover.js'

type PersonCardProps = { chat: Chat; person: Person; opener: HTMLElement; onClose: () => void }

/** A person, and the button that opens the direct conversation with them. */
export function PersonCard({ chat, person, opener, onClose }: PersonCardProps) {
  const [problem, setProblem] = useState('')
  const write = async () => {
    try {
      const room = await chat.beginDirect([person.id])
      onClose()
      navigate(`/rooms/${room.id}`)
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  return (
    <Popover label={person.name} class="sheet card" opener={opener} onClose={onClose}>
      <Avatar person={person} large />
      <p class="profile-name">
        <Name>{person.name}</Name>
      </p>
      {person.bot && <p class="subtle">A program</p>}
      {!person.bot && person.id !== chat.me.account.id && (
        <button type="button" class="button button--primary" onClick={() => void write()}>
          Message
        </button>
      )}
      <Alert>{problem}</Alert>
    </Popover>
  )
}
