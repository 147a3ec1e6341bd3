import type { Batch } from '../../../libs/bus/requests.ts';
import type { Bus } from '../../../libs/bus/port.ts';
import { nextAttemptAt } from '../../../libs/delivery/schedule.ts';
import { tellCancelled } from '../../../libs/delivery/tell-cancelled.ts';
import { type BatchRow, claimOf } from '../../../libs/delivery/worker/claim-of.ts';
import { handBack } from '../../../libs/delivery/worker/hand-back.ts';
import type { Listing } from '../../../libs/mail/parse-pool/listing.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Deliveries, Outcome } from '../../../libs/store/ports/deliveries.ts';
import type { LocalAnswer } from '../../../libs/store/ports/mailboxes.ts';
import type { MailboxMetrics } from '../metrics.ts';
import type { SplitAnswer } from './deliver-splitting.ts';
import type { StateTokens } from './state-tokens.ts';

type Delivered = Extract<LocalAnswer, { answer: 'delivered' }>;

/** How a row ended. */
export type RowEnd = (Delivered & { listing: Listing }) | Exclude<SplitAnswer, Delivered>;

/** How many rows of a batch ended in which way. */
export type BatchEnd = Record<RowEnd['answer'], number>;

export interface IndexQueue {
  add(entry: { accountId: string; id: string; search: NonNullable<Listing['search']> }): void;
}

export interface SettlementOptions {
  deliveries: Deliveries;
  bus: Bus;
  stateTokens: StateTokens;
  index: IndexQueue;
  retryScheduleMs: readonly number[];
  /** In [0, 1). */
  random: () => number;
  clock: Clock;
  log: Logger;
  metrics: MailboxMetrics;
}

type Waiting = Extract<RowEnd['answer'], 'overQuota' | 'noAccount' | 'poisoned'>;

/** RFC 5321 §4.2.2 and RFC 3463: what the trace and the sender's report say. */
const waitingReplies: Record<Waiting, string> = {
  overQuota: '452 4.2.2 the mailbox is full',
  noAccount: '450 4.2.1 the account is not there',
  poisoned: '451 4.3.0 the message could not be put into the mailbox',
};

/** What follows when a batch was written: rows that have to wait are recorded, and everybody who wants to know is told. */
export class Settlement {
  readonly #options: SettlementOptions;

  constructor(options: SettlementOptions) {
    this.#options = options;
  }

  async settle(batch: Batch, ends: ReadonlyMap<string, RowEnd>): Promise<BatchEnd> {
    const counts: BatchEnd = { delivered: 0, duplicate: 0, stale: 0, overQuota: 0, noAccount: 0, poisoned: 0, busy: 0 };
    const waiting: { row: BatchRow; answer: Waiting }[] = [];
    const busy: BatchRow[] = [];
    const changed = new Map<string, number>();
    for (const row of batch.rows) {
      const end = ends.get(row.id);
      if (end === undefined) continue;
      counts[end.answer]++;
      if (end.answer === 'delivered') this.#delivered(row, end, changed);
      else if (end.answer === 'duplicate') this.#tellDelivered(row);
      else if (end.answer === 'busy') busy.push(row);
      else if (end.answer !== 'stale') waiting.push({ row, answer: end.answer });
      if (end.answer === 'poisoned') this.#blame(row, end.error);
    }
    this.#count(counts);
    await Promise.all([this.#record(batch, waiting), this.#tellChanged(changed)]);
    if (busy.length > 0) await handBack({ ...batch, rows: busy }, this.#options);
    return counts;
  }

  #delivered(row: BatchRow, end: Extract<RowEnd, { answer: 'delivered' }>, changed: Map<string, number>): void {
    const { bus, index } = this.#options;
    const { accountId } = row;
    this.#tellDelivered(row);
    if (accountId === undefined) return;
    changed.set(accountId, Math.max(changed.get(accountId) ?? 0, end.modseq));
    if (end.overQuotaNow) bus.publish('mailbox.quota', { accountId, over: true });
    if (end.listing.search !== undefined) index.add({ accountId, id: end.id, search: end.listing.search });
  }

  #tellDelivered({ id: deliveryId, messageId, recipient, destination, accountId }: BatchRow): void {
    const account = accountId === undefined ? {} : { accountId };
    const reply = '250 2.0.0 delivered';
    this.#options.bus.publish('mail.delivered', { deliveryId, messageId, recipient, destination, ...account, reply });
  }

  /** One event for each account, however many messages it got. */
  async #tellChanged(changed: ReadonlyMap<string, number>): Promise<void> {
    const { bus, stateTokens, log } = this.#options;
    const telling = [...changed].map(async ([accountId, modseq]) => {
      try {
        bus.publish('mailbox.changed', { accountId, state: await stateTokens.of(accountId, modseq) });
      } catch (err) {
        // The mail is delivered; only readers that wait learn of it a little later.
        log.warn({ err, accountId }, 'a change of an account could not be announced');
      }
    });
    await Promise.all(telling);
  }

  async #record(batch: Batch, waiting: readonly { row: BatchRow; answer: Waiting }[]): Promise<void> {
    if (waiting.length === 0) return;
    const { deliveries, bus, clock, metrics, retryScheduleMs: stepsMs, random } = this.#options;
    const at = clock.nowMs();
    const outcomes = waiting.map(({ row, answer }) => ({
      id: row.id,
      claim: claimOf(row, batch),
      at,
      result: {
        kind: 'deferred' as const,
        reply: waitingReplies[answer],
        replyClass: 'temporary' as const,
        nextAttemptAt: nextAttemptAt({ stepsMs, attempts: row.attempts + 1, attemptEndedAt: at, random }),
      },
    })) satisfies Outcome[];
    const answers = await deliveries.record(outcomes);
    for (const [index, { row, answer }] of waiting.entries()) {
      const result = outcomes[index]?.result;
      if (result === undefined || answers[index]?.answer !== 'recorded') {
        metrics.stale.inc();
        continue;
      }
      metrics.deferred.inc({ reason: answer });
      if (answers[index]?.state === 'cancelled') tellCancelled(bus, row, 'operator');
      if (answers[index]?.state !== 'deferred') continue;
      const { id: deliveryId, messageId, recipient, destination } = row;
      const next = new Date(result.nextAttemptAt).toISOString();
      bus.publish('mail.deferred', {
        deliveryId,
        messageId,
        recipient,
        destination,
        reply: result.reply,
        nextAttemptAt: next,
      });
    }
  }

  #blame({ id: deliveryId, messageId, accountId }: BatchRow, err: unknown): void {
    this.#options.log.error({ err, messageId, deliveryId, accountId }, 'a message could not be put into its mailbox');
  }

  #count(counts: BatchEnd): void {
    const { metrics } = this.#options;
    metrics.delivered.inc(counts.delivered);
    metrics.duplicates.inc(counts.duplicate);
    metrics.stale.inc(counts.stale);
  }
}
