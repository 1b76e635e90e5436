import { useEffect, useState } from 'preact/hooks'

import type { Room } from '@chat/server/contract'

import { api } from '../api.js'
import type { Chat } from '../chat/chat.js'
import { navigate } from '../router.js'
import { Confirm, Panel } from '../ui/dialog.js'
import { Field, Form } from '../ui/form.js'
import { compareNames } from '../ui/format.js'
import { useChanges } from '../ui/hooks.js'
import { IconButton } from '../ui/icon.js'
import { Avatar, Name } from '../ui/person.js'
import { Wait } from '../ui/wait.js'
import { Notify } from './notify.js'

/** The members of a room and who is online; forms to invite a person and to leave. */
export function Members({
  chat,
  room,
  beside,
  onClose,
}: {
  chat: Chat
  room: Room
  beside: boolean
  onClose: () => void
}) {
  useChanges(chat.members, chat.connection)
  const [problem, setProblem] = useState('')
  const [leaving, setLeaving] = useState(false)

  const load = async () => {
    setProblem('')
    try {
      await chat.members.load(room.id)
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  useEffect(() => void load(), [chat.connection.count])

  const leave = async () => {
    setLeaving(false)
    try {
      await api.leave(room.id)
    } catch (error) {
      return setProblem((error as Error).message)
    }
    await chat.rooms.reload()
    navigate('/')
  }
  const begin = async (personId: string) => {
    try {
      const { id } = await chat.beginDirect([personId])
      if (!beside) onClose()
      navigate(`/rooms/${id}`)
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  const invite = async ({ email = '' }: Record<string, string>, form: HTMLFormElement) => {
    await api.invite(room.id, email)
    form.reset()
    return `${email} is now a member.`
  }

  const here = chat.members
    .get(room.id)
    ?.sort((a, b) => Number(b.online) - Number(a.online) || compareNames(a.name, b.name))
  return (
    <Panel class="members" label="Members" beside={beside} onClose={onClose}>
      <div class="head">
        <h2>Members{here && <span class="subtle"> {here.length}</span>}</h2>
        <IconButton icon="close" label="Close members" onClick={onClose} />
      </div>
      {(!here || problem) && <Wait problem={problem} retry={() => void load()} />}
      <ul class="members-list">
        {here?.map((member) => (
          <li key={member.id} class={member.online ? 'entry member member--online' : 'entry member'}>
            <Avatar person={member} />
            <Name>{member.name}</Name>
            <span class="hidden">{member.online ? ' online' : ' offline'}</span>
            {member.id !== chat.me.account.id && !member.bot && room.people.length !== 1 && (
              <IconButton icon="chat" label={`Message ${member.name}`} onClick={() => void begin(member.id)} />
            )}
          </li>
        ))}
      </ul>
      <Notify chat={chat} room={room} />
      {room.kind === 'private' && (
        <section>
          <h3>Invite a person</h3>
          <Form action="Invite" send={invite}>
            <Field label="Email" name="email" type="email" autocomplete="off" />
          </Form>
        </section>
      )}
      {room.kind !== 'direct' && (
        <button type="button" class="button" onClick={() => setLeaving(true)}>
          Leave room
        </button>
      )}
      {leaving && (
        <Confirm question={`Leave ${room.name}?`} action="Leave" send={leave} onClose={() => setLeaving(false)}>
          {room.kind === 'private' ? 'You will need an invitation to come back.' : 'You can join again at any time.'}
        </Confirm>
      )}
    </Panel>
  )
}
