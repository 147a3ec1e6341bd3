import type { MongoDatabase } from '../database.ts';
import { readable } from './change.ts';
import { countingPermits } from './documents.ts';

/** What nobody has used since `before`. It is looked up first, for a deletion has no limit; what is used meanwhile doesn't match any more. */
export async function purgeGroups(
  { groups, destinations }: MongoDatabase,
  { before, limit, graceMs }: { before: number; limit: number; graceMs: number },
): Promise<number> {
  const idle = {
    usedAt: { $lt: before },
    paused: { $exists: false },
    ...nothingSet,
    $expr: { $eq: [{ $size: countingPermits(graceMs) }, 0] },
    ...readable,
  };
  const groupIds = await groups
    .find(idle, { batchSize: limit + 1 })
    .project<{ _id: string }>({ _id: 1 })
    .limit(limit)
    .toArray();
  const found = await groups.deleteMany({ ...idle, _id: { $in: groupIds.map(({ _id }) => _id) } });
  const left = limit - groupIds.length;
  // No limit would be all of them.
  if (left === 0) return found.deletedCount;
  const unseen = { seenAt: { $lt: before }, paused: { $exists: false }, ...readable };
  const names = await destinations
    .find(unseen, { batchSize: left + 1 })
    .project<{ _id: string }>({ _id: 1 })
    .limit(left)
    .toArray();
  const others = await destinations.deleteMany({ ...unseen, _id: { $in: names.map(({ _id }) => _id) } });
  return found.deletedCount + others.deletedCount;
}

const nothingSet = { 'set.connections': null, 'set.perConnection': null, 'set.perSecond': null };
