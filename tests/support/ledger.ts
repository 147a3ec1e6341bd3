import { createHash } from 'node:crypto';
import type { ApiClient } from './api-client.ts';
import { SmtpClient } from './smtp-client.ts';

/**
 * What clients were told, to be compared with what the mailboxes hold. Each attempt of a client carries a token of its own: acknowledged tokens must be
 * in each of their mailboxes exactly once and byte for byte, the others once or not at all, and no other token at all.
 */
export class Ledger {
  readonly #attempts = new Map<string, Attempt>();
  #next = 0;

  /** A new message for `recipients`, with its token in the subject; note its end with `acknowledged`. */
  attempt(recipients: readonly string[], bodyBytes: number): { token: string; message: string } {
    const token = `token-${this.#next++}`;
    const filler = `${token} .line\r\n.dots stay\r\n`.repeat(Math.ceil(bodyBytes / 32)).slice(0, bodyBytes);
    const message = `From: load@sender.test\r\nTo: undisclosed:;\r\nSubject: ${token}\r\nMessage-ID: <${token}@sender.test>\r\n\r\n${filler.replace(/\r?\n?$/, '')}\r\n`;
    this.#attempts.set(token, { recipients, sha256: sha256(message), acknowledged: false });
    return { token, message };
  }

  acknowledged(token: string): void {
    const attempt = this.#attempts.get(token);
    if (attempt !== undefined) attempt.acknowledged = true;
  }

  get acknowledgedCount(): number {
    return [...this.#attempts.values()].filter(({ acknowledged }) => acknowledged).length;
  }

  /** Acknowledged tokens that must be in the mailbox of `address`. */
  owed(address: string): string[] {
    return [...this.#attempts]
      .filter(([, { acknowledged, recipients }]) => acknowledged && recipients.includes(address))
      .map(([token]) => token);
  }

  /** Every way in which the mailbox differs from what was promised; empty when all is right. */
  async audit(address: string, client: ApiClient): Promise<string[]> {
    const faults: string[] = [];
    const seen = new Map<string, number>();
    for await (const { id, subject } of allMessages(client)) {
      const attempt = this.#attempts.get(subject);
      seen.set(subject, (seen.get(subject) ?? 0) + 1);
      if (attempt === undefined || !attempt.recipients.includes(address))
        faults.push(`${address}: ${subject} was never sent to it`);
      else if (sha256(received(await client.bytes(`/api/v1/accounts/me/messages/${id}/raw`))) !== attempt.sha256) {
        faults.push(`${address}: the bytes of ${subject} differ`);
      }
    }
    for (const [subject, count] of seen) if (count > 1) faults.push(`${address}: ${subject} is there ${count} times`);
    for (const token of this.owed(address))
      if (!seen.has(token)) faults.push(`${address}: ${token} was acknowledged and is missing`);
    return faults;
  }
}

interface Attempt {
  recipients: readonly string[];
  sha256: string;
  acknowledged: boolean;
}

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Without the trace that we have put in front: Return-Path and one Received with its folded lines. */
export function received(raw: Buffer): Buffer {
  const text = raw.toString('latin1');
  const trace = /^Return-Path: [^\r\n]*\r\n(?:Received:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)/.exec(text);
  if (trace === null) throw new Error(`no trace before: ${text.slice(0, 200)}`);
  return raw.subarray(trace[0].length);
}

async function* allMessages(client: ApiClient, query = ''): AsyncGenerator<{ id: string; subject: string }> {
  let cursor: string | null = null;
  do {
    const at: string = cursor === null ? '' : `&cursor=${cursor}`;
    const page = await client.get(`/api/v1/accounts/me/messages?limit=500${query}${at}`);
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== null);
}

/** Sends messages over one connection after another until `stop` says so; a lost connection or a 4xx is just another attempt later. */
export async function sendUntil(
  stop: () => boolean,
  ledger: Ledger,
  options: { port: number; pick: () => readonly string[]; bodyBytes: () => number },
): Promise<void> {
  while (!stop()) {
    try {
      const { client } = await SmtpClient.connect(options.port);
      await client.command('EHLO load.test');
      while (!stop()) {
        const recipients = options.pick();
        const { token, message } = ledger.attempt(recipients, options.bodyBytes());
        const { final } = await client.send('load@sender.test', recipients, message);
        if (final.code !== 250) break;
        ledger.acknowledged(token);
      }
      client.destroy();
    } catch {
      // Refused or cut: the process is being killed. The token stays unacknowledged.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
