import type { DeliveryRow } from '../../../delivery/row.ts';
import { transition } from '../../../delivery/state.ts';
import type { Deliveries } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { asStoreErrors } from '../write-errors.ts';
import { changeDeliveries, moved } from './delivery-change.ts';
import { idsOfMessage, toRow, withoutTrace } from './delivery-document.ts';
import { ofChunks } from './partition-chunks.ts';

export function owing(
  { deliveries, newer }: MongoDatabase,
  { messagePartitions, limit }: Parameters<Deliveries['owing']>[0],
): Promise<readonly string[]> {
  if (limit <= 0) return Promise.resolve([]);
  const ofChunk = async (chunk: number[]): Promise<{ messageId: string; acceptedAt: number }[]> => {
    const found = new Map<string, number>();
    const rows = deliveries
      .find(
        { owed: 1, messagePartition: { $in: chunk } },
        { projection: { v: 1, messageId: 1, acceptedAt: 1 }, hint: 'deliveries_owed' },
      )
      .sort({ acceptedAt: 1, _id: 1 });
    // Many rows of one message are one entry, so the end of the page shows only while reading.
    for await (const row of rows) {
      for (const { messageId, acceptedAt } of newer.readable('deliveries', [row])) found.set(messageId, acceptedAt);
      if (found.size >= limit) break;
    }
    return [...found].map(([messageId, acceptedAt]) => ({ messageId, acceptedAt }));
  };
  return asStoreErrors(false, async () => {
    const found = await ofChunks(messagePartitions, ofChunk);
    const oldestFirst = found.toSorted((a, b) => a.acceptedAt - b.acceptedAt);
    return oldestFirst.slice(0, limit).map(({ messageId }) => messageId);
  });
}

export function ofMessage({ deliveries, newer }: MongoDatabase, messageId: string): Promise<readonly DeliveryRow[]> {
  return asStoreErrors(false, async () => {
    const rows = await deliveries
      .find({ _id: idsOfMessage(messageId) }, { projection: withoutTrace })
      .sort({ _id: 1 })
      .toArray();
    return newer.readable('deliveries', rows).map(toRow);
  });
}

export async function startReport(
  database: MongoDatabase,
  { messageId, now }: Parameters<Deliveries['startReport']>[0],
): ReturnType<Deliveries['startReport']> {
  const ids = await idsOf(database, messageId);
  if (ids.length === 0) return undefined;
  return changeDeliveries(database, ids, (found, changes) => {
    const rows = [...found.values()].toSorted((a, b) => a.n - b.n);
    const reporting = rows.filter((row) => row.state === 'reporting');
    const begun = reporting[0]?.report;
    // One report after the other: a crashed reporter first ends the one that it has begun.
    if (begun !== undefined) {
      return { report: begun, rows: reporting.filter((row) => row.report === begun).map(toRow) };
    }
    const report = Math.max(0, ...rows.map((row) => row.report ?? 0)) + 1;
    const started = rows.flatMap((row) => {
      const next = transition(row, { kind: 'reportStarted' });
      if (next === undefined) return [];
      const after = moved(row, next, { at: now, report });
      changes.put(after);
      return [toRow(after)];
    });
    return started.length === 0 ? undefined : { report, rows: started };
  });
}

export async function finishReport(
  database: MongoDatabase,
  { messageId, report, now }: Parameters<Deliveries['finishReport']>[0],
): Promise<void> {
  const ids = await idsOf(database, messageId);
  if (ids.length === 0) return;
  await changeDeliveries(database, ids, (found, changes) => {
    for (const row of found.values()) {
      const next = row.report === report ? transition(row, { kind: 'reportFinished' }) : undefined;
      if (next !== undefined) changes.put(moved(row, next, { at: now }));
    }
  });
}

/** Only the message's own rows that exist now: rows that fan-out adds later have a report of their own. */
export function idsOf({ deliveries }: MongoDatabase, messageId: string): Promise<string[]> {
  return asStoreErrors(false, async () => {
    const rows = await deliveries.find({ _id: idsOfMessage(messageId) }, { projection: { _id: 1 } }).toArray();
    return rows.map(({ _id }) => _id);
  });
}
