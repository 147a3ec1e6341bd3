import type { Deliveries } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { changeDeliveries } from './delivery-change.ts';
import { toRow } from './delivery-document.ts';
import { findWaiting } from './delivery-due.ts';
import { idsOf } from './delivery-reports.ts';

/** Rows past `expiresAt` are left to expiry: their failure is told. */
export async function noteDelays(
  database: MongoDatabase,
  { partitions, now, limit }: Parameters<Deliveries['noteDelays']>[0],
): Promise<number> {
  if (partitions.length === 0 || limit <= 0) return 0;
  const delayed = await findWaiting(
    database,
    {
      lane: { $gte: 0 },
      partition: { $in: [...partitions] },
      alarmAt: { $lte: now },
      noticeAt: { $lte: now },
      expiresAt: { $gt: now },
    },
    limit,
  );
  if (delayed.length === 0) return 0;
  return changeDeliveries(
    database,
    delayed.map(({ _id }) => _id),
    (found, changes) => {
      let noted = 0;
      for (const { noticeAt, notice: _, ...delivery } of found.values()) {
        // Claimed or noted since it was found.
        if (noticeAt === undefined || delivery.lane === undefined) continue;
        changes.put({ ...delivery, alarmAt: delivery.expiresAt, owes: 'delay', owed: 1 });
        noted += 1;
      }
      return noted;
    },
  );
}

export async function startNotice(
  database: MongoDatabase,
  { messageId, kind }: Parameters<Deliveries['startNotice']>[0],
): ReturnType<Deliveries['startNotice']> {
  const ids = await idsOf(database, messageId);
  if (ids.length === 0) return undefined;
  return changeDeliveries(database, ids, (found, changes) => {
    const owing = [...found.values()].filter(({ owes }) => owes === kind).toSorted((a, b) => a.n - b.n);
    const [first] = owing;
    if (first === undefined) return undefined;
    const begun = owing.find(({ notice }) => notice !== undefined)?.notice;
    // One notice after the other: a crashed reporter first ends the one that it has begun.
    if (begun !== undefined) return { notice: begun, rows: owing.filter((row) => row.notice === begun).map(toRow) };
    const notice = first.n + 1;
    const started = owing.map((row) => ({ ...row, notice }));
    for (const row of started) changes.put(row);
    return { notice, rows: started.map(toRow) };
  });
}

export async function finishNotice(
  database: MongoDatabase,
  { messageId, kind, notice, now, reply }: Parameters<Deliveries['finishNotice']>[0],
): Promise<void> {
  const ids = await idsOf(database, messageId);
  if (ids.length === 0) return;
  await changeDeliveries(database, ids, (found, changes) => {
    for (const { owes, owed: _, ...row } of found.values()) {
      if (owes !== kind || row.notice !== notice) continue;
      const isFailing = row.state === 'failed' || row.state === 'reporting';
      changes.put({ ...row, ...(isFailing && { owed: 1 }) }, { at: now, event: `${kind} reported`, reply });
    }
  });
}
