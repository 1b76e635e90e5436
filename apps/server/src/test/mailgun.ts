import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { MailgunConfig } from '../config.js'

/** What the fake Mailgun does with a mail. */
export type Mood = 'takes mail' | 'refuses mail' | 'takes mail and hangs up' | 'hangs up' | 'takes mail and fails'

export interface FakeMailgun {
  config: MailgunConfig
  mood: Mood
  /** The mails that it has accepted, as form fields. */
  taken: Record<string, string>[]
  close(): Promise<void>
}

/** Starts a fake of those parts of Mailgun's API that the chat uses. */
export async function startMailgun({ host = '127.0.0.1', domain = 'chat.example' } = {}): Promise<FakeMailgun> {
  const server = createServer(async (req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? '', 'http://mailgun')
    const say = (status: number, body: object) =>
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const body = await buffer(req)
    if (req.headers.authorization !== `Basic ${btoa('api:the key')}`) return say(401, { message: 'Forbidden' })

    if (pathname === `/v3/${domain}/events`) {
      const items = fake.taken.filter((mail) => mail['h:Message-Id'] === `<${searchParams.get('message-id')}>`)
      return say(200, { items: items.map(() => ({ event: 'accepted' })), paging: {} })
    }
    if (pathname === `/v4/domains/${domain}`)
      return say(200, { domain: { name: domain, state: 'active' }, receiving_dns_records: [], sending_dns_records: [] })
    if (req.method !== 'POST' || pathname !== `/v3/${domain}/messages`) return say(404, { message: 'not found' })

    if (fake.mood === 'refuses mail') return say(400, { message: 'not today' })
    if (fake.mood === 'hangs up') return req.socket.destroy()
    const form = await new Response(new Uint8Array(body), {
      headers: { 'content-type': req.headers['content-type'] ?? '' },
    }).formData()
    // Forms end every line with CRLF.
    fake.taken.push(
      Object.fromEntries(
        [...form].map(([name, value]) => [
          name,
          typeof value === 'string' ? value.replaceAll('\r\n', '\n') : value.name,
        ]),
      ),
    )
    if (fake.mood === 'takes mail and hangs up') return req.socket.destroy()
    if (fake.mood === 'takes mail and fails') return say(503, { message: 'oh dear' })
    return say(200, { id: form.get('h:Message-Id'), message: 'Queued. Thank you.' })
  })
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const fake: FakeMailgun = {
    config: {
      kind: 'mailgun',
      apiKey: 'the key',
      domain,
      from: `Chat <chat@${domain}>`,
      url: `http://${host}:${port}`,
    },
    mood: 'takes mail',
    taken: [],
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close').catch(() => undefined)
    },
  }
  return fake
}
