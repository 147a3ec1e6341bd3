import { partitionCount } from '../../../delivery/row.ts';
import type { DeliveryState } from '../../../delivery/state.ts';
import type { Deliveries } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { asStoreErrors } from '../write-errors.ts';
import { firstDueAfter } from './delivery-due.ts';

type Counts = Awaited<ReturnType<Deliveries['counts']>>;

/** Counting walks an index: one answer serves for twenty times as long as it took, and never over 1.5 s. */
export function countsOf(database: MongoDatabase): Deliveries['counts'] {
  let last: { until: number; counts: Promise<Counts> } | undefined;
  const look = async (): Promise<Counts> => {
    const asOf = Date.now();
    const begun = performance.now();
    const counts = await asStoreErrors(false, () => count(database));
    const ended = performance.now();
    if (last !== undefined) last.until = begun + Math.min(maxAgeMs, (ended - begun) * 20);
    return { asOf, ...counts };
  };
  return () => {
    if (last === undefined || performance.now() >= last.until) {
      const counts = look();
      last = { until: Number.POSITIVE_INFINITY, counts };
      counts.catch(() => {
        last = undefined;
      });
    }
    return last.counts;
  };
}

const maxAgeMs = 1_500;

async function count(database: MongoDatabase): Promise<Omit<Counts, 'asOf'>> {
  const { deliveries } = database;
  // One moment for all states, or a row that moves meanwhile would count twice or not at all.
  const states = await deliveries
    .aggregate<{ _id: DeliveryState; many: number }>([{ $group: { _id: '$state', many: { $sum: 1 } } }], {
      hint: 'deliveries_state',
      readConcern: { level: 'snapshot' },
    })
    .toArray();
  const waiting = { lane: { $in: [0, 1] }, partition: { $in: allPartitions } } as const;
  const destinations = await deliveries.distinct('destination', waiting);
  const oldestDueAt = await firstDueAfter(database, allPartitions, Number.NEGATIVE_INFINITY);
  const many = new Map(states.map(({ _id, many: of }) => [_id, of]));
  const of = (state: DeliveryState): number => many.get(state) ?? 0;
  const counts = {
    byState: {
      queued: of('queued'),
      leased: of('leased'),
      deferred: of('deferred'),
      held: of('held'),
      failed: of('failed'),
      reporting: of('reporting'),
      delivered: of('delivered'),
      bounced: of('bounced'),
      cancelled: of('cancelled'),
    },
    destinations: destinations.length,
  };
  return oldestDueAt === undefined ? counts : { ...counts, oldestDueAt };
}

const allPartitions = Array.from({ length: partitionCount }, (_, n) => n);
