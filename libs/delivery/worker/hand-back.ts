import type { Bus } from '../../bus/port.ts';
import type { Batch } from '../../bus/requests.ts';
import type { Logger } from '../../ops/logger.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Deliveries } from '../../store/ports/deliveries.ts';
import { tellCancelled } from '../tell-cancelled.ts';
import { claimOf } from './claim-of.ts';

/**
 * Gives back the rows of a batch that is given up, unattempted, so that another worker has them at once. Those that have ended stay as they are; what
 * can't be given back comes again when its lease ends.
 */
export async function handBack(
  batch: Batch,
  { deliveries, bus, clock, log }: { deliveries: Deliveries; bus: Bus; clock: Clock; log: Logger },
): Promise<void> {
  const at = clock.nowMs();
  const { owner, token } = batch.claim;
  try {
    const answers = await deliveries.record(
      batch.rows.map((row) => ({ id: row.id, claim: claimOf(row, batch), at, result: { kind: 'returned' } as const })),
    );
    for (const [index, row] of batch.rows.entries()) {
      const { answer, state } = answers[index] ?? {};
      if (answer === 'recorded' && state === 'cancelled') tellCancelled(bus, row, 'operator');
    }
    bus.wake('queue.settled', { owner, token });
    bus.wake('queue.rows', { partitions: [...new Set(batch.rows.map(({ partition }) => partition))] });
    log.info({ rows: batch.rows.length }, 'deliveries were handed back');
  } catch (err) {
    log.warn({ err }, 'deliveries could not be handed back: they come again when their lease ends');
  }
}
