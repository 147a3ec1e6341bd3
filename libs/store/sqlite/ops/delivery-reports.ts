import { partitionOfMessage } from '../../../delivery/partition.ts';
import { type DeliveryRow, partitionCount } from '../../../delivery/row.ts';
import type { Connection } from '../engine/connection.ts';
import { apply, rowsOfMessage } from './delivery-rows.ts';

export const writes = {
  'deliveries.expireRows': expireRows,
  'deliveries.startReport': startReport,
  'deliveries.finishReport': finishReport,
};

export const reads = {
  'deliveries.failing': failing,
  'deliveries.ofMessage': (connection: Connection, args: { messageId: string }): DeliveryRow[] =>
    rowsOfMessage(connection, args.messageId),
};

export const expiredSql = `SELECT message_id || '/' || (id & 4095) AS id, partition FROM deliveries
  WHERE lane IS NOT NULL AND expires_at <= ? ORDER BY expires_at`;

function expireRows(
  connection: Connection,
  { partitions, now, limit }: { partitions: readonly number[]; now: number; limit: number },
): DeliveryRow[] {
  const wanted = new Set(partitions);
  const ids: string[] = [];
  for (const { id, partition } of connection.each<{ id: string; partition: number }>(expiredSql, now)) {
    if (ids.length >= limit) break;
    if (wanted.has(partition)) ids.push(id);
  }
  return ids.flatMap((id) => apply(connection, id, { kind: 'expired' }, { at: now }) ?? []);
}

export const failingSql = `SELECT id, message_id AS messageId FROM deliveries
  WHERE state = ? AND state NOT IN (1, 6) ORDER BY id`;

function failing(
  connection: Connection,
  { messagePartitions, limit }: { messagePartitions: readonly number[]; limit: number },
): string[] {
  const wanted = new Set(messagePartitions);
  const found = new Map<string, number>();
  for (const state of [4, 5]) {
    const ofState = new Set<string>();
    for (const { id, messageId } of connection.each<{ id: number; messageId: string }>(failingSql, state)) {
      if (ofState.size >= limit) break;
      if (wanted.size < partitionCount && !wanted.has(partitionOfMessage(messageId))) continue;
      ofState.add(messageId);
      found.set(messageId, id);
    }
  }
  return [...found]
    .sort(([, a], [, b]) => a - b)
    .slice(0, limit)
    .map(([messageId]) => messageId);
}

function startReport(
  connection: Connection,
  { messageId, now }: { messageId: string; now: number },
): { report: number; rows: DeliveryRow[] } | undefined {
  const rows = rowsOfMessage(connection, messageId);
  const reporting = rows.filter((row) => row.state === 'reporting');
  const begun = reporting[0]?.report;
  // One report after the other: a crashed reporter first ends the one that it has begun.
  if (begun !== undefined) return { report: begun, rows: reporting.filter((row) => row.report === begun) };
  const failed = rows.filter((row) => row.state === 'failed');
  if (failed.length === 0) return undefined;
  const report = Math.max(0, ...rows.map((row) => row.report ?? 0)) + 1;
  const started = failed.flatMap(
    ({ id }) => apply(connection, id, { kind: 'reportStarted' }, { at: now, report }) ?? [],
  );
  return { report, rows: started };
}

function finishReport(
  connection: Connection,
  { messageId, report, now }: { messageId: string; report: number; now: number },
): void {
  for (const row of rowsOfMessage(connection, messageId)) {
    if (row.report === report) apply(connection, row.id, { kind: 'reportFinished' }, { at: now });
  }
}
