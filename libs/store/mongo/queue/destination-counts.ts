import { partitionOf } from '../../../delivery/partition.ts';
import type { DestinationCounts } from '../../ports/deliveries.ts';
import { type MongoDatabase, snapshot } from '../database.ts';

/** Each count walks an index that has all it needs; leased rows are never many, since they are in the hands of workers. */
export async function destinationCounts(
  database: MongoDatabase,
  destinations: readonly string[],
): Promise<ReadonlyMap<string, DestinationCounts>> {
  const counts = new Map<string, DestinationCounts>();
  if (destinations.length === 0) return counts;
  const names = [...destinations];
  const partitions = [...new Set(names.map(partitionOf))];
  const found = await snapshot(database, async ({ deliveries, session }) => {
    const counted = (match: Record<string, unknown>, by: string, hint: string) =>
      deliveries
        .aggregate<Counted>(
          [{ $match: match }, { $group: { _id: { destination: '$destination', by }, many: { $sum: 1 } } }],
          { session, hint },
        )
        .toArray();
    const ofNames = { partition: { $in: partitions }, destination: { $in: names } };
    // A session takes one operation at a time.
    const waiting = await counted({ lane: { $in: [0, 1] }, ...ofNames }, '$lane', 'deliveries_ready');
    const leased = await counted({ state: 'leased', ...ofNames }, '$state', 'deliveries_leased');
    const held = await counted({ state: 'held', destination: { $in: names } }, '$state', 'deliveries_held');
    return [...waiting, ...leased, ...held];
  });
  for (const { _id, many } of found) {
    const count = counts.get(_id.destination) ?? { ready: 0, deferred: 0, leased: 0, held: 0 };
    counts.set(_id.destination, { ...count, [fields[_id.by]]: many });
  }
  return counts;
}

interface Counted {
  _id: { destination: string; by: keyof typeof fields };
  many: number;
}

const fields = { 0: 'deferred', 1: 'ready', leased: 'leased', held: 'held' } as const;
