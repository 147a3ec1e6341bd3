import { partitionOfMessage } from '../../../delivery/partition.ts';
import { type DeliveryRow, partitionCount } from '../../../delivery/row.ts';
import type { Connection } from '../engine/connection.ts';
import { stateCodes } from './delivery-codes.ts';
import { apply, rowsOfMessage } from './delivery-rows.ts';

export const writes = {
  'deliveries.expireRows': expireRows,
  'deliveries.startReport': startReport,
  'deliveries.finishReport': finishReport,
};

export const reads = {
  'deliveries.owing': owing,
  'deliveries.ofMessage': (connection: Connection, args: { messageId: string }): DeliveryRow[] =>
    rowsOfMessage(connection, args.messageId),
};

export const expiredSql = `SELECT message_id || '/' || (id & 4095) AS id, partition FROM deliveries
  WHERE lane IS NOT NULL AND alarm_at <= ?1 AND expires_at <= ?1 ORDER BY alarm_at`;

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
export const owingSql = 'SELECT id, message_id AS messageId FROM deliveries WHERE owes IS NOT NULL ORDER BY id';

function owing(
  connection: Connection,
  { messagePartitions, limit }: { messagePartitions: readonly number[]; limit: number },
): string[] {
  const wanted = new Set(messagePartitions);
  const found = new Map<string, number>();
  const look = (rows: Iterable<{ id: number; messageId: string }>): void => {
    const ofKind = new Set<string>();
    for (const { id, messageId } of rows) {
      if (ofKind.size >= limit) break;
      if (wanted.size < partitionCount && !wanted.has(partitionOfMessage(messageId))) continue;
      ofKind.add(messageId);
      found.set(messageId, id);
    }
  };
  look(connection.each(failingSql, stateCodes.failed));
  look(connection.each(failingSql, stateCodes.reporting));
  look(connection.each(owingSql));
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
