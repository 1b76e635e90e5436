import type { Mention } from '@chat/server/contract'

/** Text in which the names of people stand out, with the names that they have now. */
export function Mentions({ text, mentions, me }: { text: string; mentions: readonly Mention[]; me: string }) {
  if (mentions.length === 0 || !text.includes('@')) return text
  const names = mentions.map(({ written }) => written.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const longestFirst = names.sort((a, b) => b.length - a.length).join('|')
  // Every second part is a name.
  const parts = text.split(new RegExp(`@(${longestFirst})(?![\\p{L}\\p{N}_])`, 'iu'))
  return parts.map((part, index) => {
    if (index % 2 === 0) return part
    const named = mentions.filter(({ written }) => written.toLowerCase() === part.toLowerCase())
    const own = named.some(({ id }) => id === me || id === null)
    return <span class={`mention${own ? ' mention--own' : ''}`}>@{named[0]?.name ?? part}</span>
  })
}
