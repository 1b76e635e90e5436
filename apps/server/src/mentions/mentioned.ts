/** One of the people, and the name as the text has it. */
interface Named {
  id: string
  name: string
  written: string
}

const isWord = (char: string | undefined) => char !== undefined && /[\p{L}\p{N}_]/u.test(char)

/** The word that names all people of a room. */
const everyone = 'room'

/** The names in a text: an `@`, and then the name of one of the people, in upper or lower case. The longest name counts. */
export function mentionedIn(body: string, people: { id: string; name: string }[]): Named[] {
  const found = new Map<string, Named>()
  const longestFirst = [...people].sort((a, b) => b.name.length - a.name.length)
  for (const { index } of body.matchAll(/@/g)) {
    if (isWord(body[index - 1])) continue
    const isHere = (name: string) => {
      const written = body.slice(index + 1, index + 1 + name.length)
      return written.toLowerCase() === name.toLowerCase() && !isWord(body[index + 1 + name.length])
    }
    const named = longestFirst.find(({ name }) => isHere(name))
    if (named === undefined) continue
    const written = body.slice(index + 1, index + 1 + named.name.length)
    // Several people may have the same name.
    for (const { id, name } of people)
      if (name.toLowerCase() === named.name.toLowerCase() && !found.has(id)) found.set(id, { id, name, written })
  }
  return [...found.values()]
}

/** Does the text name all people of its room? */
export function namesEveryone(body: string): boolean {
  return mentionedIn(body, [{ id: '', name: everyone }]).length > 0
}
