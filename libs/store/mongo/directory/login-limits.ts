import type { LoginLimits } from '../../ports/credentials.ts';
import type { MongoDatabase } from '../database.ts';
import { asStoreErrors } from '../write-errors.ts';
import { batchOf } from './directory.ts';

/**
 * Of `login_failures` and `login_successes`. Each key is one update of one document, so failures that several processes see at once are all counted; the driver
 * sends one whose reply is lost once more, and the server knows it again. OutcomeUnknown: of the keys each was counted or not.
 */
export function mongoLoginLimits({ loginFailures: failures, loginSuccesses: successes }: MongoDatabase): LoginLimits {
  return {
    failures: (keys, now) =>
      asStoreErrors(false, async () => {
        const rows = await failures.find({ _id: { $in: [...keys] } }, batchOf(keys.length)).toArray();
        const current = new Map(rows.filter(({ resetsAt }) => resetsAt > now).map((row) => [row._id, row]));
        return keys.map((key) => {
          const { count, resetsAt } = current.get(key) ?? { count: 0, resetsAt: now };
          return { key, count, resetsAt };
        });
      }),

    fail: (keys, windowMs, now) =>
      asStoreErrors(true, async () => {
        if (keys.length === 0) return;
        const goesOn = { $gt: ['$resetsAt', now] };
        const counted = {
          v: { $ifNull: ['$v', 1] },
          count: { $cond: [goesOn, { $add: ['$count', 1] }, 1] },
          resetsAt: { $cond: [goesOn, '$resetsAt', now + windowMs] },
        };
        await failures.bulkWrite(
          keys.map((_id) => ({ updateOne: { filter: { _id }, update: [{ $set: counted }], upsert: true } })),
          { ordered: false },
        );
      }),

    clear: (keys) =>
      asStoreErrors(true, async () => {
        if (keys.length === 0) return;
        await failures.bulkWrite(
          keys.map((_id) => ({ deleteOne: { filter: { _id } } })),
          { ordered: false },
        );
      }),

    remember: (key, until) =>
      asStoreErrors(true, async () => {
        await successes.updateOne({ _id: key }, { $max: { until }, $setOnInsert: { v: 1 } }, { upsert: true });
      }),

    remembered: (key, now) =>
      asStoreErrors(false, async () => {
        const row = await successes.findOne({ _id: key });
        return row !== null && row.until > now ? row.until : undefined;
      }),

    purge: (now, limit) =>
      asStoreErrors(true, async () => {
        const ended = await failures
          .find({ resetsAt: { $lte: now } }, { ...batchOf(limit), projection: { _id: 1 } })
          .limit(limit)
          .toArray();
        const failed = await failures.deleteMany({
          _id: { $in: ended.map(({ _id }) => _id) },
          resetsAt: { $lte: now },
        });
        const left = limit - ended.length;
        // No limit would be all of them.
        if (left === 0) return failed.deletedCount;
        const over = await successes
          .find({ until: { $lte: now } }, { ...batchOf(left), projection: { _id: 1 } })
          .limit(left)
          .toArray();
        const forgotten = await successes.deleteMany({
          _id: { $in: over.map(({ _id }) => _id) },
          until: { $lte: now },
        });
        return failed.deletedCount + forgotten.deletedCount;
      }),
  };
}
