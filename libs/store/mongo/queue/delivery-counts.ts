import type { Filter } from 'mongodb';
import { partitionCount } from '../../../delivery/row.ts';
import type { DeliveryState } from '../../../delivery/state.ts';
import type { Deliveries } from '../../ports/deliveries.ts';
import { type MongoDatabase, snapshot } from '../database.ts';
import { asStoreErrors } from '../write-errors.ts';
import type { DeliveryDocument } from './delivery-document.ts';
import { firstWaiting } from './delivery-due.ts';

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
  const byState = await countStates(database);
  const waiting = { lane: { $in: [0, 1] }, partition: { $in: allPartitions } } as const;
  const destinations = await deliveries.distinct('destination', waiting);
  const [ready] = await deliveries
    .aggregate<{ dueAt: number }>([{ $match: { lane: 1 } }, { $group: { _id: null, dueAt: { $min: '$dueAt' } } }], {
      hint: 'deliveries_ready',
    })
    .toArray();
  const next = await firstWaiting(database, allPartitions, Number.NEGATIVE_INFINITY);
  const dueTimes = [ready?.dueAt, next].filter((dueAt) => dueAt !== undefined);
  const counts = { byState, destinations: destinations.length };
  return dueTimes.length === 0 ? counts : { ...counts, oldestDueAt: Math.min(...dueTimes) };
}

/** One moment for all states, or a row that moves meanwhile would count twice or not at all. */
function countStates(database: MongoDatabase): Promise<Counts['byState']> {
  return snapshot(database, async ({ deliveries, session }) => {
    const many = async (filter: Filter<DeliveryDocument>, hint: string): Promise<number> => {
      const counting = [{ $match: filter }, { $group: { _id: null, many: { $sum: 1 } } }];
      const [found] = await deliveries.aggregate<{ many: number }>(counting, { session, hint }).toArray();
      return found?.many ?? 0;
    };
    const of = (state: DeliveryState): Promise<number> => many({ state }, 'deliveries_state');
    const bounced = await of('bounced');
    const cancelled = await of('cancelled');
    return {
      queued: await of('queued'),
      leased: await many({ state: 'leased' }, 'deliveries_leased'),
      deferred: await of('deferred'),
      held: await of('held'),
      failed: await of('failed'),
      reporting: await of('reporting'),
      delivered: (await many({ done: 1 }, 'deliveries_done')) - bounced - cancelled,
      bounced,
      cancelled,
    };
  });
}

const allPartitions = Array.from({ length: partitionCount }, (_, n) => n);
