import type { Member } from '@chat/server/contract'

const atMost = 6

/** Stands for all people of a room in the list. The person who created the room can name them. */
export const everyone: Member = { id: 'room', name: 'room', avatarUrl: null, online: false }

/** What has been written of a name: the text between an `@` and the cursor. Null if the cursor is not in a name. */
export function nameBefore(field: HTMLTextAreaElement): string | null {
  const before = field.value.slice(0, field.selectionStart)
  return /(?:^|[^\p{L}\p{N}_])@([^@\n]{0,60})$/u.exec(before)?.[1] ?? null
}

/** Members whose first or a later name begins like this, the better matches first. */
export function suggest(members: readonly Member[], begun: string): Member[] {
  const wanted = begun.toLowerCase()
  const rank = ({ name }: Member) => {
    const lower = name.toLowerCase()
    if (lower.startsWith(wanted)) return 0
    return lower.includes(` ${wanted}`) ? 1 : 2
  }
  return members
    .filter((member) => rank(member) < 2 && member.name.toLowerCase() !== wanted)
    .sort((a, b) => rank(a) - rank(b) || Number(b.online) - Number(a.online) || a.name.localeCompare(b.name))
    .slice(0, atMost)
}
