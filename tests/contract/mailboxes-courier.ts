import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { localDestination, partitionOf } from '../../libs/delivery/partition.ts';
import type { DeliveryRow, Target } from '../../libs/delivery/row.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type {
  LocalAnswer,
  LocalDelivery,
  Mailboxes,
  MailboxRole,
  MessageSummary,
} from '../../libs/store/ports/mailboxes.ts';
import type { Partitions } from '../../libs/store/ports/partitions.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';

/** One store, open and empty. */
export interface OpenMailboxes {
  mailboxes: Mailboxes;
  spool: Spool;
  deliveries: Deliveries;
  partitions: Partitions;
  /** Makes the account known to the directory. */
  addAccount(id: string): Promise<void>;
  removeAccountFromDirectory(id: string): Promise<void>;
  close(): Promise<void>;
  features: { search: boolean };
}

export interface Letter {
  receivedAt?: number;
  role?: MailboxRole;
  keywords?: readonly string[];
  sizeBytes?: number;
  kind?: 'inbox' | 'sent';
  summary?: Partial<MessageSummary>;
}

/** Brings mail to accounts the way the queue does: accept, fan-out, claim, deliver. */
export class Courier {
  readonly store: OpenMailboxes;
  readonly owner = `courier-${newId()}`;
  readonly #epochs = new Map<number, number>();
  #acquiring: Promise<void> = Promise.resolve();

  constructor(store: OpenMailboxes) {
    this.store = store;
  }

  async account(): Promise<string> {
    const id = newId();
    await this.store.addAccount(id);
    return id;
  }

  /** Accepted and claimed, not yet delivered: one delivery for each letter, in order; letters of one call are one message each. */
  async claimed(letters: readonly (Letter & { accountId: string })[]): Promise<LocalDelivery[]> {
    const deliveries: LocalDelivery[] = [];
    const rows = await Promise.all(letters.map((letter) => this.#accept(letter)));
    const claims = await this.claim(rows);
    for (const [index, letter] of letters.entries()) {
      const row = claims[index];
      assert.ok(row?.claim, 'the row was claimed');
      deliveries.push(deliveryOf(row, letter));
    }
    return deliveries;
  }

  /** Claims under a new token; rows in the order of the arguments. */
  async claim(rows: readonly DeliveryRow[], token: string = newId()): Promise<DeliveryRow[]> {
    const partitions = [...new Set(rows.map((row) => row.partition))];
    // One after the other: of two that ask at once for the same partition one gets nothing, and may hear of it first.
    this.#acquiring = this.#acquiring.then(() => this.#acquire(partitions));
    await this.#acquiring;
    const leases = partitions.map((partition) => ({ partition, epoch: this.#epochs.get(partition)! }));
    const ids = rows.map(({ id }) => id);
    const claimed = await this.store.deliveries.claim({
      owner: this.owner,
      leases,
      ids,
      token,
      leaseMs: 60_000,
      now: Date.now(),
    });
    return ids.flatMap((id) => claimed.find((row) => row.id === id) ?? []);
  }

  /** Delivers one letter, and says what its message is called. */
  async bring(accountId: string, letter: Letter = {}): Promise<{ id: string; modseq: number; messageId: string }> {
    const [delivery] = await this.claimed([{ accountId, ...letter }]);
    const [answer] = await this.store.mailboxes.deliver([delivery!], Date.now());
    return { ...delivered(answer), messageId: delivery!.messageId };
  }

  /** Delivers many letters in one batch; ids in order. */
  async bringAll(accountId: string, letters: readonly Letter[]): Promise<string[]> {
    const deliveries = await this.claimed(letters.map((letter) => ({ accountId, ...letter })));
    const answers = await this.store.mailboxes.deliver(deliveries, Date.now());
    return answers.map((answer) => delivered(answer).id);
  }

  async mailboxId(accountId: string, role: MailboxRole): Promise<string> {
    const { mailboxes } = await this.store.mailboxes.mailboxes(accountId);
    return mailboxes.find((mailbox) => mailbox.role === role)!.id;
  }

  async #acquire(partitions: readonly number[]): Promise<void> {
    const missing = partitions.filter((partition) => !this.#epochs.has(partition));
    if (missing.length === 0) return;
    const got = await this.store.partitions.acquire({ owner: this.owner, partitions: missing, leaseMs: 600_000 });
    for (const { partition, epoch } of got) this.#epochs.set(partition, epoch);
  }

  async #accept(letter: Letter & { accountId: string }): Promise<DeliveryRow> {
    const messageId = newId();
    const bytes = new TextEncoder().encode(`Subject: ${messageId}\r\n\r\nbody\r\n`);
    const target = targetOf(letter);
    await this.store.spool.accept({
      messageId,
      acceptedAt: Date.now(),
      envelope: { reversePath: 'sender@elsewhere.test', smtputf8: false, body: '8BITMIME' },
      source: { by: 'mx' },
      trace: 'Received: from elsewhere.test\r\n',
      body: { kind: 'inline', bytes },
      sizeBytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      targets: [target],
    });
    assert.equal(await this.store.spool.fanOut(messageId), true);
    const [row] = await this.store.deliveries.ofMessage(messageId);
    assert.equal(row?.partition, partitionOf(target.destination));
    return row;
  }
}

function targetOf(letter: Letter & { accountId: string }): Target {
  const now = Date.now();
  return {
    n: 0,
    kind: letter.kind ?? 'inbox',
    recipient: 'someone@example.test',
    accountId: letter.accountId,
    destination: localDestination(letter.accountId),
    priority: 1,
    rank: now,
    dueAt: now - 1_000,
    expiresAt: now + 3_600_000,
  };
}

export function deliveryOf(row: DeliveryRow, letter: Letter & { accountId: string }): LocalDelivery {
  return {
    deliveryId: row.id,
    claim: row.claim ?? { owner: 'nobody', epoch: 0, token: 'none' },
    accountId: letter.accountId,
    messageId: row.messageId,
    kind: letter.kind ?? 'inbox',
    role: letter.role ?? 'inbox',
    keywords: letter.keywords ?? [],
    receivedAt: letter.receivedAt ?? Date.now(),
    sizeBytes: letter.sizeBytes ?? 1_000,
    summary: summary(letter.summary),
  };
}

export const summary = (fields: Partial<MessageSummary> = {}): MessageSummary => ({
  from: [{ name: 'Sender', email: 'sender@elsewhere.test' }],
  to: [{ name: null, email: 'someone@example.test' }],
  cc: [],
  subject: 'A letter',
  messageIdHeader: `${newId()}@elsewhere.test`,
  inReplyTo: [],
  references: [],
  sentAt: 1_700_000_000_000,
  preview: 'body',
  hasAttachment: false,
  unparsable: false,
  ...fields,
});

export function delivered(answer: LocalAnswer | undefined): { id: string; modseq: number } {
  assert.equal(answer?.answer, 'delivered');
  return answer;
}

/** Every id of the account's list under the filter, page after page. */
export async function listAll(mailboxes: Mailboxes, accountId: string, filter = {}, limit = 100): Promise<string[]> {
  const ids: string[] = [];
  let page = await mailboxes.list(accountId, filter, { limit });
  for (;;) {
    ids.push(...page.messages.map(({ id }) => id));
    if (page.next === null) return ids;
    page = await mailboxes.list(accountId, filter, { limit, cursor: page.next });
  }
}

export const modseqOf = (state: string): number => Number(state.split('.')[1]);
