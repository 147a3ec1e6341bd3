import type { Bus } from '../../../libs/bus/port.ts';
import type { Batch } from '../../../libs/bus/requests.ts';
import { tellCancelled } from '../../../libs/delivery/tell-cancelled.ts';
import { type BatchRow, claimOf } from '../../../libs/delivery/worker/claim-of.ts';
import type { HeldLease } from '../../../libs/delivery/worker/keep-leased.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Outcome, OutcomeAnswer } from '../../../libs/store/ports/deliveries.ts';
import type { DeliveryMetrics } from '../metrics.ts';
import type { Recorder } from '../recorder.ts';

export interface RowEnd {
  row: BatchRow;
  result: Outcome['result'];
  with?: Outcome['with'];
}

export interface SettlementDeps {
  recorder: Pick<Recorder, 'record'>;
  bus: Bus;
  clock: Clock;
  metrics: DeliveryMetrics;
}

/**
 * Writes how rows ended, then tells of it. Once the lease can't be relied upon only a proven 250 is written (promise 5). Resolves when it is in the store, or
 * known not to get there in time.
 */
export async function settle(
  ends: readonly RowEnd[],
  batch: Batch,
  lease: HeldLease,
  { recorder, bus, clock, metrics }: SettlementDeps,
): Promise<void> {
  const at = clock.nowMs();
  const written = ends.filter(({ result }) => result.kind === 'delivered' || !lease.signal.aborted);
  metrics.attempts.inc({ result: 'lost' }, ends.length - written.length);
  if (written.length === 0) return;
  const outcomes = written.map(({ row, result, with: about }) => {
    return { id: row.id, claim: claimOf(row, batch), at, result, ...(about !== undefined && { with: about }) };
  });
  const answers = await recorder.record(outcomes, () => lease.endsAtMs());
  for (const [index, { row, result }] of written.entries()) {
    const answer = answers[index] ?? 'lost';
    if (answer !== 'lost') lease.ended(row.id);
    metrics.attempts.inc({ result: answer === 'lost' ? 'lost' : answer.answer === 'stale' ? 'stale' : result.kind });
    if (answer !== 'lost' && answer.answer === 'recorded') tell(row, result, answer, bus);
  }
}

function tell(row: BatchRow, result: Outcome['result'], { state }: OutcomeAnswer, bus: Bus): void {
  const { id: deliveryId, messageId, recipient, destination } = row;
  const about = { deliveryId, messageId, recipient, destination };
  if (state === 'cancelled') tellCancelled(bus, row, 'operator');
  else if (result.kind === 'delivered') bus.publish('mail.delivered', { ...about, reply: result.reply });
  else if (result.kind === 'deferred' && state === 'deferred') {
    const nextAttemptAt = new Date(result.nextAttemptAt).toISOString();
    bus.publish('mail.deferred', { ...about, reply: result.reply, nextAttemptAt });
  }
}
