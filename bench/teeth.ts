/** `npm run bench -- --teeth`: does the generator refuse what it must? */
import { createRelay, type Context } from './candidates.js'
import { createMeasurement, objections } from './measurement.js'

/** What the generator must say of each fault of the relay. */
export const expected = {
  lose: 'lost',
  double: 'twice',
  swap: 'out of order',
  late: 'late',
  room: 'in the wrong room',
  ack: 'history: an acknowledged message is not stored',
  body: 'with another body',
  stall: 'stalled',
} as const

export type Fault = keyof typeof expected

/** Was a run refused for this fault; or, without a fault, not refused at all? */
export function isBitten(fault: Fault | 'none', found: string[]): boolean {
  return fault === 'none' ? found.length === 0 : found.includes(expected[fault])
}

/** Plants each fault in turn, and none at first. Resolves with how many were refused for the right reason. */
export async function bareTeeth(context: Context, say: (line: string) => void): Promise<boolean> {
  const faults = Object.keys(expected) as Fault[]
  const bitten: (Fault | 'none')[] = []
  for (const fault of ['none', ...faults] as const) {
    const measurement = createMeasurement({
      candidate: createRelay(fault),
      context,
      isQuick: true,
      messages: [],
      say: () => undefined,
    })
    try {
      const people = [0, 0, 0, 0, 1].map((room) => ({ room }))
      const { run } = await measurement.start({ rooms: 2, people })
      const found = objections(await run(100, { warmup: 0, seconds: 2, senders: 1, grace: 3 }))
      if (isBitten(fault, found)) bitten.push(fault)
      say(
        `${fault.padEnd(8)} ${isBitten(fault, found) ? 'as it should be' : 'NOT AS IT SHOULD BE'}: ${found.join(', ') || 'accepted'}`,
      )
    } finally {
      await measurement.stop()
    }
  }
  const refused = bitten.filter((fault) => fault !== 'none').length
  say(
    `${refused} of ${faults.length} faults refused, and ${bitten.includes('none') ? 'the sound run accepted' : 'A SOUND RUN REFUSED'}.`,
  )
  return bitten.length === faults.length + 1
}
