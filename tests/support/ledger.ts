import { createHash } from 'node:crypto';
import type { ApiClient } from './api-client.ts';

/**
 * What clients were told, to be compared with what the mailboxes hold. Each attempt of a client carries a token of its own: acknowledged tokens must be
 * in each of their mailboxes exactly once and byte for byte, the others once or not at all, and no other token at all.
 */
export class Ledger {
  readonly #attempts = new Map<string, Attempt>();
  #next = 0;
  #acknowledgedCount = 0;

  /** A new message for `recipients`, with its token in the subject; note its end with `acknowledged`. */
  attempt(recipients: readonly string[], bodyBytes: number): { token: string; message: string } {
    const token = `token-${this.#next++}`;
    const filler = `${token} .line\r\n.dots stay\r\n`.repeat(Math.ceil(bodyBytes / 32)).slice(0, bodyBytes);
    const message = `From: load@sender.test\r\nTo: undisclosed:;\r\nSubject: ${token}\r\nMessage-ID: <${token}@sender.test>\r\n\r\n${filler.replace(/\r?\n?$/, '')}\r\n`;
    this.#attempts.set(token, { recipients, sha256: sha256(message), acknowledgedAt: undefined });
    return { token, message };
  }

  acknowledged(token: string): void {
    const attempt = this.#attempts.get(token);
    if (attempt === undefined) throw new RangeError(`${token} was never sent`);
    attempt.acknowledgedAt = Date.now();
    this.#acknowledgedCount += 1;
  }

  get acknowledgedCount(): number {
    return this.#acknowledgedCount;
  }

  /** When messages were acknowledged (ms), in order. */
  acknowledgedTimes(): number[] {
    return [...this.#attempts.values()]
      .flatMap(({ acknowledgedAt }) => acknowledgedAt ?? [])
      .toSorted((one, other) => one - other);
  }

  /** Acknowledged tokens that must be in the mailbox of `address`. */
  owed(address: string): string[] {
    return [...this.#attempts]
      .filter(([, { acknowledgedAt, recipients }]) => acknowledgedAt !== undefined && recipients.includes(address))
      .map(([token]) => token);
  }

  /**
   * Every way in which the mailbox differs from what was promised; empty when all is right. `onDelivered` learns when each message was acknowledged and when it was
   * delivered (ms).
   */
  async audit(
    address: string,
    client: ApiClient,
    onDelivered?: (acknowledgedAt: number, deliveredAt: number) => void,
  ): Promise<string[]> {
    const faults: string[] = [];
    const seen = new Map<string, number>();
    for await (const { id, subject, receivedAt } of allMessages(client)) {
      const attempt = this.#attempts.get(subject);
      if (attempt?.acknowledgedAt !== undefined) onDelivered?.(attempt.acknowledgedAt, Date.parse(receivedAt));
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
  /** Undefined: it was refused, or the client saw no reply. */
  acknowledgedAt: number | undefined;
}

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Without the trace that we have put in front: Return-Path and one Received with its folded lines. */
export function received(raw: Buffer): Buffer {
  const text = raw.toString('latin1');
  const trace = /^Return-Path: [^\r\n]*\r\n(?:Received:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)/.exec(text);
  if (trace === null) throw new Error(`no trace before: ${text.slice(0, 200)}`);
  return raw.subarray(trace[0].length);
}

async function* allMessages(client: ApiClient): AsyncGenerator<{ id: string; subject: string; receivedAt: string }> {
  let cursor: string | null = null;
  do {
    const at: string = cursor === null ? '' : `&cursor=${cursor}`;
    const page = await client.get(`/api/v1/accounts/me/messages?limit=500${at}`);
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== null);
}
