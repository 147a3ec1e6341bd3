import type { Batch } from '../../../libs/bus/requests.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { type BatchRow, claimOf } from '../../../libs/delivery/worker/claim-of.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { LocalDelivery, Mailboxes } from '../../../libs/store/ports/mailboxes.ts';
import type { MailboxMetrics } from '../metrics.ts';
import { deliverSplitting } from './deliver-splitting.ts';
import { type ReadListingsDeps, type ReadMessage, readListings } from './read-listings.ts';
import type { BatchEnd, RowEnd, Settlement } from './settlement.ts';

export interface DeliverBatchDeps extends ReadListingsDeps {
  mailboxes: Mailboxes;
  deliveries: Deliveries;
  settlement: Settlement;
  clock: Clock;
  metrics: MailboxMetrics;
}

/**
 * One batch from end to end: read and parse its messages, put them into the mailboxes in one transaction, record those that have to wait. Rejects when the
 * store has trouble; what wasn't written then stays leased and comes again when the lease ends.
 */
export async function deliverBatch(batch: Batch, deps: DeliverBatchDeps, signal: AbortSignal): Promise<BatchEnd> {
  const { clock, metrics } = deps;
  const read = await readListings(batch.rows, deps, signal);
  const now = clock.nowMs();
  const ends = new Map<string, RowEnd>();
  const deliveries: LocalDelivery[] = [];
  const deliverable: BatchRow[] = [];
  for (const row of batch.rows) {
    const message = read.get(row.messageId);
    const delivery =
      message === undefined || message instanceof Error ? undefined : localDelivery(row, batch, message, now);
    if (delivery === undefined) ends.set(row.id, unreadable(message));
    else {
      deliveries.push(delivery);
      deliverable.push(row);
    }
  }
  const startedMs = clock.monotonicMs();
  const answers =
    deliveries.length === 0 ? [] : await deliverSplitting(deliveries, (part) => deps.mailboxes.deliver(part, now));
  metrics.storeSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
  for (const [index, row] of deliverable.entries()) {
    const answer = answers[index];
    const message = read.get(row.messageId);
    if (answer === undefined || message === undefined || message instanceof Error) continue;
    ends.set(row.id, answer.answer === 'delivered' ? { ...answer, listing: message.listing } : answer);
  }
  return deps.settlement.settle(batch, ends);
}

function localDelivery(row: BatchRow, batch: Batch, message: ReadMessage, now: number): LocalDelivery | undefined {
  const { kind, accountId } = row;
  if (kind === 'remote' || accountId === undefined) return undefined;
  return {
    deliveryId: row.id,
    claim: claimOf(row, batch),
    accountId,
    messageId: row.messageId,
    kind,
    role: kind,
    // Nobody has to be told of what they wrote themselves.
    keywords: kind === 'sent' ? ['$seen'] : [],
    // RFC 9051 §2.3.3: the internal date is that of final delivery.
    receivedAt: now,
    sizeBytes: message.sizeBytes,
    summary: message.listing.summary,
  };
}

function unreadable(message: ReadMessage | Error | undefined): RowEnd {
  return { answer: 'poisoned', error: message instanceof Error ? message : new Error('the row is no local delivery') };
}
