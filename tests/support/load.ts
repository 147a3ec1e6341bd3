import { setTimeout as pause } from 'node:timers/promises';
import type { Ledger } from './ledger.ts';
import { SmtpClient, type SmtpReply } from './smtp-client.ts';

export interface LoadOptions {
  ledger: Ledger;
  /** Of the ingress copies: a client whose connection is refused or cut tries the next one. */
  ports: readonly number[];
  addresses: readonly string[];
  random: () => number;
  clients: number;
  /** Of each client between two messages: so that what is measured is the outage and not a backlog. Default 0. */
  paceMs?: number;
}

export interface Load {
  /** Every reply but 2xx and 354, with its time; lost and refused connections aren't among them. */
  refusals: readonly Refusal[];
  /** The messages that are under way are finished. */
  stop(): Promise<void>;
}

export interface Refusal {
  at: number;
  to: 'greeting' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'message';
  reply: SmtpReply;
}

/** Clients that send as MX peers do, small messages and now and then one that is too large for the accept row, until they are stopped. */
export function startLoad(options: LoadOptions): Load {
  const refusals: Refusal[] = [];
  let stopped = false;
  const clients = Array.from({ length: options.clients }, (_, n) =>
    sendUntil(
      () => stopped,
      options,
      n,
      (to, reply) => refusals.push({ at: Date.now(), to, reply }),
    ),
  );
  return {
    refusals,
    async stop() {
      stopped = true;
      await Promise.all(clients);
    },
  };
}

type Refuse = (to: Refusal['to'], reply: SmtpReply) => void;

async function sendUntil(stop: () => boolean, options: LoadOptions, first: number, refuse: Refuse): Promise<void> {
  for (let turn = first; !stop(); turn += 1) {
    const port = options.ports[turn % options.ports.length] ?? 0;
    try {
      const { client, greeting } = await SmtpClient.connect(port);
      const isOpen = expect(greeting, 220, 'greeting', refuse);
      if (isOpen && expect(await client.command('EHLO load.test'), 250, 'EHLO', refuse)) {
        while (!stop() && (await sendOne(client, options, refuse))) await pause(options.paceMs ?? 0);
      }
      client.destroy();
    } catch {
      // Refused or cut. The token stays unacknowledged: the message may be there or not.
    }
    await pause(reconnectAfterMs);
  }
}

const reconnectAfterMs = 20;

/** False when the client starts over with another connection. */
async function sendOne(
  client: SmtpClient,
  { ledger, addresses, random }: LoadOptions,
  refuse: Refuse,
): Promise<boolean> {
  const chosen = addresses.filter(() => random() < 0.4);
  const recipients = chosen.length === 0 ? addresses.slice(0, 1) : chosen;
  const bodyBytes = random() < 0.03 ? largeBytes : Math.floor(random() * 8_000);
  if (!expect(await client.command('MAIL FROM:<load@sender.test>'), 250, 'MAIL', refuse)) return false;
  for (const recipient of recipients) {
    if (!expect(await client.command(`RCPT TO:<${recipient}>`), 250, 'RCPT', refuse)) return false;
  }
  if (!expect(await client.command('DATA'), 354, 'DATA', refuse)) return false;
  const { token, message } = ledger.attempt(recipients, bodyBytes);
  client.write(`${message.replace(/^\./gm, '..')}.\r\n`);
  const isAccepted = expect(await client.reply(), 250, 'message', refuse);
  if (isAccepted) ledger.acknowledged(token);
  return isAccepted;
}

/** Past the inline limit: a blob of its own. */
const largeBytes = 400_000;

function expect(reply: SmtpReply, code: number, to: Refusal['to'], refuse: Refuse): boolean {
  if (reply.code === code) return true;
  refuse(to, reply);
  return false;
}

/** mulberry32: the same choices in each run of one seed. */
export function seeded(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
