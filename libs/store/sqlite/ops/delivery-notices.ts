import type { Owed } from '../../../delivery/owed.ts';
import type { DeliveryRow } from '../../../delivery/row.ts';
import type { Connection } from '../engine/connection.ts';
import { owedCodes } from './delivery-codes.ts';
import { keyOf, rowsOfMessage, trace } from './delivery-rows.ts';

export const writes = {
  'deliveries.noteDelays': noteDelays,
  'deliveries.startNotice': startNotice,
  'deliveries.finishNotice': finishNotice,
};

/** Rows past `expires_at` are left to expiry: their failure is told. */
export const delayedSql = `SELECT id, partition FROM deliveries
  WHERE lane IS NOT NULL AND alarm_at <= ?1 AND alarm_at < expires_at AND expires_at > ?1 ORDER BY alarm_at`;

function noteDelays(
  connection: Connection,
  { partitions, now, limit }: { partitions: readonly number[]; now: number; limit: number },
): number {
  const wanted = new Set(partitions);
  const keys: number[] = [];
  for (const { id, partition } of connection.each<{ id: number; partition: number }>(delayedSql, now)) {
    if (keys.length >= limit) break;
    if (wanted.has(partition)) keys.push(id);
  }
  for (const key of keys)
    connection.run(
      'UPDATE deliveries SET alarm_at = expires_at, owes = ?, notice = NULL WHERE id = ?',
      owedCodes.delay,
      key,
    );
  return keys.length;
}

function startNotice(
  connection: Connection,
  { messageId, kind }: { messageId: string; kind: Owed },
): { notice: number; rows: DeliveryRow[] } | undefined {
  const owing = rowsOfMessage(connection, messageId).filter(({ owes }) => owes === kind);
  const [first] = owing;
  if (first === undefined) return undefined;
  const begun = owing.find(({ notice }) => notice !== undefined)?.notice;
  // One notice after the other: a crashed reporter first ends the one that it has begun.
  if (begun !== undefined) return { notice: begun, rows: owing.filter(({ notice }) => notice === begun) };
  const notice = first.n + 1;
  for (const { id } of owing)
    connection.run('UPDATE deliveries SET notice = ? WHERE id = ?', notice, keyOf(connection, id) ?? null);
  return { notice, rows: owing.map((row) => ({ ...row, notice })) };
}

function finishNotice(
  connection: Connection,
  {
    messageId,
    kind,
    notice,
    now,
    reply,
  }: { messageId: string; kind: Owed; notice: number; now: number; reply: string },
): void {
  for (const row of rowsOfMessage(connection, messageId)) {
    const key = row.owes === kind && row.notice === notice ? keyOf(connection, row.id) : undefined;
    if (key === undefined) continue;
    connection.run('UPDATE deliveries SET owes = NULL WHERE id = ?', key);
    trace(connection, key, { at: now, event: `${kind} reported`, reply });
  }
}
