import { endOf } from './deadline.js'

interface LoaderOptions<Key, Value> {
  /** Answers all keys with one statement, in their order. */
  load: (keys: Key[]) => Promise<Value[]>
  /** Keys with the same name are one question. */
  nameOf?: (key: Key) => string
  keysAtOnce?: number
}

interface Question<Key, Value> {
  key: Key
  answer: Promise<Value>
  resolve: (value: Value) => void
  reject: (error: unknown) => void
}

// A statement that takes longer hangs. Later questions do not wait for it.
const patienceMs = 1_000
const restPerKeyMs = 2
const longestRestMs = 250

/**
 * Answers many questions of one kind with few statements. A lone question is asked at once; those that arrive meanwhile
 * are asked together, and equal ones once. After a crowd the loader rests for as long as the crowd was large, so a storm
 * of clients becomes a few statements. An answer is never older than its question.
 */
export function createLoader<Key, Value>({ load, nameOf = String, keysAtOnce = 500 }: LoaderOptions<Key, Value>) {
  const waiting = new Map<string, Question<Key, Value>>()
  let isLoading = false

  async function ask(questions: Question<Key, Value>[]): Promise<void> {
    try {
      const values = await load(questions.map(({ key }) => key))
      questions.forEach(({ resolve }, index) => resolve(values[index]!))
    } catch (error) {
      for (const { reject } of questions) reject(error)
    }
  }

  async function askAll(): Promise<void> {
    if (isLoading) return
    isLoading = true
    while (waiting.size > 0) {
      const questions = [...waiting.values()].slice(0, keysAtOnce)
      for (const { key } of questions) waiting.delete(nameOf(key))
      await endOf(ask(questions), patienceMs)
      const others = questions.length - 1
      const restMs = Math.min(others * restPerKeyMs, longestRestMs)
      if (others > 0 && waiting.size < keysAtOnce) await new Promise((goOn) => setTimeout(goOn, restMs))
    }
    isLoading = false
  }

  function newQuestion(key: Key): Question<Key, Value> {
    let resolve!: (value: Value) => void
    let reject!: (error: unknown) => void
    const answer = new Promise<Value>((...settle) => ([resolve, reject] = settle))
    return { key, answer, resolve, reject }
  }

  /** @throws what `load` throws, for all keys that were asked together. */
  return (key: Key): Promise<Value> => {
    const question = waiting.get(nameOf(key)) ?? newQuestion(key)
    waiting.set(nameOf(key), question)
    void askAll()
    return question.answer
  }
}
