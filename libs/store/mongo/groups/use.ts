import type { Document } from 'mongodb';
import { bucketMs, roundingShare } from '../../../delivery/limits/bucket.ts';
import {
  failureCost,
  firstPauseMs,
  type HealthReport,
  longestPauseMs,
  missesToPause,
  pauseJitter,
  recentMs,
  startAllowed,
} from '../../../delivery/limits/health.ts';
import { checkName } from '../../group-rules.ts';
import type { Groups } from '../../ports/groups.ts';
import type { MongoDatabase } from '../database.ts';
import { asStoreErrors } from '../write-errors.ts';
import { changeDestinations, changeGroup } from './change.ts';
import { healthStanding } from './documents.ts';

/** The arithmetic of libs/delivery/limits in the server's words; the contract suite holds them together. */
export function mongoGroupUse(
  database: MongoDatabase,
  random: () => number,
): Pick<Groups, 'takeTokens' | 'report' | 'routed'> {
  return {
    takeTokens: ({ group, want, limits, now }) =>
      asStoreErrors(true, async () => {
        checkName(group);
        const wanted = Math.max(0, Math.floor(want));
        const stages = takeStages(wanted, limits.perSecond);
        const { taken } = await changeGroup(database, { group, now, stages, fields: ['taken'] });
        return taken ?? { got: wanted, nextInMs: 0 };
      }),

    report: (request) =>
      asStoreErrors(true, async () => {
        const { group, now, limits } = request;
        checkName(group);
        const limit = { $ifNull: ['$set.connections', limits.connections] };
        const stages = [{ $set: reported(request, { limit, now, jitter: random() }) }];
        return healthStanding(
          await changeGroup(database, { group, now, stages, fields: ['allowed', 'failures', 'pausedUntil'] }),
        );
      }),

    routed: (routes, now) =>
      asStoreErrors(true, async () => {
        checkName(...routes.flatMap(({ destination, group }) => [destination, group]));
        const changes = new Map(routes.map(({ destination, group }) => [destination, { group }]));
        await changeDestinations(database, changes, now);
      }),
  };
}

function takeStages(want: number, configured: number): Document[] {
  const now = { $toLong: '$$NOW' };
  const rate = { $ifNull: ['$set.perSecond', configured] };
  const limited = { $gt: [rate, 0] };
  const sum = (...terms: unknown[]): Document => ({ $add: terms });
  const msOf = (count: unknown): Document => ({ $divide: [{ $multiply: [count, 1_000] }, rate] });
  const from = { $min: [{ $max: [{ $ifNull: ['$spentAt', 0] }, { $subtract: [now, bucketMs] }] }, now] };
  const came = { $divide: [{ $multiply: [{ $subtract: [now, '$spentAt'] }, rate] }, 1_000] };
  const got = { $toInt: { $min: [want, { $floor: sum(came, roundingShare) }] } };
  const untilNext = { $subtract: [sum('$spentAt', msOf(sum('$$got', 1))), sum(now, roundingShare)] };
  const taken = { got: '$$got', nextInMs: { $toInt: { $max: [0, { $ceil: untilNext }] } } };
  return [
    { $set: { spentAt: { $cond: [limited, from, '$spentAt'] } } },
    { $set: { taken: { $cond: [limited, { $let: { vars: { got }, in: taken } }, null] } } },
    { $set: { spentAt: { $cond: [limited, sum('$spentAt', msOf('$taken.got')), '$spentAt'] } } },
  ];
}

/** `afterReport`; what was reported is known here, so only what the row knows is left to the server. */
function reported(
  { ok, failed, unreachable }: HealthReport,
  { limit, now, jitter }: { limit: Document; now: number; jitter: number },
): Document {
  const current = { $min: [limit, { $ifNull: ['$allowed', startAllowed] }] };
  const cost = (failed + unreachable) * failureCost;
  const shrunk = (from: Document): Document => ({ $max: [1, { $subtract: [{ $min: [limit, from] }, cost] }] });
  if (ok > 0) {
    const grown = { $sqrt: { $add: [{ $multiply: [current, current] }, 2 * ok] } };
    return { allowed: shrunk(grown), misses: 0, failures: 0, pausedUntil: 0, okAt: { $max: ['$okAt', now] } };
  }
  if (unreachable === 0) return { allowed: shrunk(current) };
  const known = (field: string): Document => ({ $ifNull: [field, 0] });
  const misses = { $add: [known('$misses'), unreachable] };
  const step = {
    $min: [longestPauseMs, { $multiply: [firstPauseMs, { $pow: [2, { $min: [known('$failures'), 30] }] }] }],
  };
  const pausedUntil = { $add: [now, { $floor: { $multiply: [step, 1 + pauseJitter * jitter] } }] };
  const rests = { $gt: [known('$pausedUntil'), now] };
  const isDown = {
    $or: [
      { $gt: [known('$failures'), 0] },
      { $gte: [misses, missesToPause] },
      { $lte: [known('$okAt'), now - recentMs] },
    ],
  };
  const of = (field: string, down: unknown, missed: unknown): Document => ({
    $cond: [rests, field, { $cond: [isDown, down, missed] }],
  });
  return {
    allowed: of('$allowed', 1, shrunk(current)),
    misses: of('$misses', 0, misses),
    failures: of('$failures', { $add: [known('$failures'), 1] }, '$failures'),
    pausedUntil: of('$pausedUntil', pausedUntil, '$pausedUntil'),
  };
}
