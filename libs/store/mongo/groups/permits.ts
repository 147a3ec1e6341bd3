import type { Document } from 'mongodb';
import { startAllowed } from '../../../delivery/limits/health.ts';
import { withSet } from '../../../delivery/limits/limits.ts';
import { newId } from '../../../runtime/ids.ts';
import { boundedWant, checkName } from '../../group-rules.ts';
import type { Acquired, Groups, Permit } from '../../ports/groups.ts';
import type { MongoDatabase } from '../database.ts';
import { inMs } from '../queue/partitions.ts';
import { asStoreErrors } from '../write-errors.ts';
import { changeGroup, updateManyAgain } from './change.ts';
import { countingPermits } from './documents.ts';

type AcquireRequest = Parameters<Groups['acquire']>[0];

export function mongoPermits(database: MongoDatabase, graceMs: number): Pick<Groups, 'acquire' | 'renew' | 'release'> {
  return {
    acquire: (request) =>
      asStoreErrors(true, async () => {
        checkName(request.group, request.holder);
        const want = boundedWant(request.want);
        const call = newId();
        const found = await changeGroup(database, {
          ...request,
          stages: acquireStages({ ...request, want }, call, graceMs),
          fields: ['grant', 'set', 'paused', 'pausedUntil'],
        });
        const { grant } = found;
        if (grant?.call !== call) throw new Error('the row of the group is not the one that was just written');
        const permits = Array.from({ length: grant.got }, (_, n) => ({ group: request.group, id: `${call}/${n}` }));
        const limits = withSet(request.limits, found.set ?? {});
        const acquired: Acquired = { permits, limits, inUse: grant.inUse, allowed: grant.allowed };
        if (permits.length === want) return acquired;
        if (found.paused !== undefined) return { ...acquired, short: { why: 'paused' } };
        const retryInMs = (found.pausedUntil ?? 0) - request.now;
        return { ...acquired, short: retryInMs > 0 ? { why: 'resting', retryInMs } : { why: 'full' } };
      }),

    renew: ({ holder, permits, leaseMs }) =>
      asStoreErrors(true, async () => {
        if (permits.length === 0) return [];
        const ids = permits.map(({ id }) => id);
        const groups = { _id: { $in: [...new Set(permits.map(({ group }) => group))] } };
        const ours = renewable('$$permit', { ids, holder, graceMs });
        const lengthened = { $mergeObjects: ['$$permit', { until: inMs(leaseMs) }] };
        const each = { $cond: [ours, lengthened, '$$permit'] };
        const update = [{ $set: { permits: { $map: { input: '$permits', as: 'permit', in: each } } } }];
        // The driver doesn't send an update of many rows again, but this one may be.
        await updateManyAgain(database.groups, { ...groups, 'permits.id': { $in: ids } }, update);
        const projection = { permits: { $filter: { input: { $ifNull: ['$permits', []] }, as: 'permit', cond: ours } } };
        const rows = await database.groups.find(groups, { projection }).toArray();
        const held = new Set(rows.flatMap(({ _id, permits: left = [] }) => left.map(({ id }) => keyOf(_id, id))));
        return permits.filter(({ group, id }) => held.has(keyOf(group, id))).map(({ group, id }) => ({ group, id }));
      }),

    release: (permits) =>
      asStoreErrors(true, async () => {
        const byGroup = Map.groupBy(permits, ({ group }) => group);
        const released = await Promise.all([...byGroup].map(([group, of]) => releaseOf(database, group, of)));
        const there = new Set(released.flat());
        return permits.map(({ group, id }) => (there.has(keyOf(group, id)) ? 'released' : 'gone'));
      }),
  };
}

/** Permits are taken out as soon as they don't count, so that one which is there is held; then as many are given as there is room for. */
function acquireStages(request: AcquireRequest, call: string, graceMs: number): Document[] {
  const { holder, want, leaseMs, limits, now } = request;
  const isPaused = { $ne: [{ $type: '$paused' }, 'missing'] };
  const takesWell = { $floor: { $ifNull: ['$allowed', startAllowed] } };
  const hasFailed = { $gt: [{ $ifNull: ['$failures', 0] }, 0] };
  const rests = { $gt: [{ $ifNull: ['$pausedUntil', 0] }, now] };
  const health = { $cond: [{ $or: [isPaused, rests] }, 0, { $cond: [hasFailed, 1, takesWell] }] };
  const limit = { $ifNull: ['$set.connections', limits.connections] };
  const room = { $max: [0, { $subtract: ['$grant.allowed', '$grant.inUse'] }] };
  const permit = {
    id: { $concat: [call, '/', { $toString: '$$n' }] },
    holder: { $literal: holder },
    until: inMs(leaseMs),
  };
  const given = { $map: { input: { $range: [0, '$grant.got'] }, as: 'n', in: permit } };
  return [
    { $set: { permits: countingPermits(graceMs) } },
    { $set: { grant: { call, inUse: { $size: '$permits' }, allowed: { $toInt: { $min: [limit, health] } } } } },
    { $set: { 'grant.got': { $min: [want, room] } } },
    {
      $set: {
        permits: { $concatArrays: ['$permits', given] },
        'grant.inUse': { $add: ['$grant.inUse', '$grant.got'] },
      },
    },
  ];
}

function renewable(
  permit: string,
  { ids, holder, graceMs }: { ids: string[]; holder: string; graceMs: number },
): Document {
  return {
    $and: [
      { $in: [`${permit}.id`, { $literal: ids }] },
      { $eq: [`${permit}.holder`, { $literal: holder }] },
      { $gt: [`${permit}.until`, { $subtract: ['$$NOW', graceMs] }] },
    ],
  };
}

const keyOf = (group: string, id: string): string => JSON.stringify([group, id]);

/** The keys of those that were there. */
async function releaseOf({ groups }: MongoDatabase, group: string, permits: readonly Permit[]): Promise<string[]> {
  const ids = permits.map(({ id }) => id);
  const before = await groups.findOneAndUpdate(
    { _id: group, 'permits.id': { $in: ids } },
    { $pull: { permits: { id: { $in: ids } } } },
    { returnDocument: 'before', projection: { permits: 1 } },
  );
  const there = new Set(before?.permits?.map(({ id }) => id));
  return ids.filter((id) => there.has(id)).map((id) => keyOf(group, id));
}
