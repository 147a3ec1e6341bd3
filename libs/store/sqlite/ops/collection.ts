import type { Connection } from '../engine/connection.ts';
import { stateCodes, targetsPerMessage } from './delivery-codes.ts';
import { forgetAccept } from './delivery-queue.ts';
import { forgetIdempotent } from './idempotency.ts';

/**
 * The collection of bodies. A body is looked at a day after its acceptance (`check_at`); while a delivery is open, or a mailbox has the message, it is
 * looked at again later. A look that finds nothing marks it; the next one, `keepMs` later, finds the mark untouched and removes it.
 */
export const writes = { 'spool.collect': collect };

export const reads = { 'spool.referredBlobs': referredBlobs };

/** While a mailbox has the message. Removing the last copy asks for a look at once (releaseBody), so this only mends what was missed. */
const referredCheckMs = 30 * 24 * 3_600_000;

export const dueChecksSql = `SELECT seq, message_id AS messageId, blob_ref AS blobRef, marked_at AS markedAt FROM accepts
  WHERE check_at IS NOT NULL AND check_at <= ? ORDER BY check_at LIMIT ?`;

interface Candidate {
  seq: number;
  messageId: string;
  blobRef: string | null;
  markedAt: number | null;
}

interface Collected {
  looked: number;
  removed: number;
  blobs: string[];
}

function collect(
  connection: Connection,
  { now, keepMs, limit }: { now: number; keepMs: number; limit: number },
): Collected {
  forgetIdempotent(connection, now);
  const candidates = connection.all<Candidate>(dueChecksSql, now, limit);
  const collected: Collected = { looked: candidates.length, removed: 0, blobs: [] };
  for (const candidate of candidates) {
    const next = nextLook(connection, candidate, now, keepMs);
    if (next !== 'remove') {
      connection.run(
        'UPDATE accepts SET marked_at = ?, check_at = ? WHERE seq = ?',
        next.markedAt,
        next.checkAt,
        candidate.seq,
      );
      continue;
    }
    remove(connection, candidate);
    collected.removed++;
    if (candidate.blobRef !== null && !isBlobReferred(connection, candidate.blobRef))
      collected.blobs.push(candidate.blobRef);
  }
  return collected;
}

function nextLook(
  connection: Connection,
  { seq, messageId, markedAt }: Candidate,
  now: number,
  keepMs: number,
): { markedAt: number | null; checkAt: number } | 'remove' {
  const first = seq * targetsPerMessage;
  const deliveries = connection.get<{ open: number | null; lastAt: number | null }>(
    `SELECT sum(state < ${stateCodes.delivered}) AS open, max(updated_at) AS lastAt FROM deliveries WHERE id BETWEEN ? AND ?`,
    first,
    first + targetsPerMessage - 1,
  );
  if ((deliveries?.open ?? 0) > 0) return { markedAt: null, checkAt: now + keepMs };
  const keptUntil = (deliveries?.lastAt ?? 0) + keepMs;
  if (keptUntil > now) return { markedAt: null, checkAt: keptUntil };
  if (connection.get(referringMessageSql, messageId) !== undefined)
    return { markedAt: null, checkAt: now + referredCheckMs };
  return markedAt === null ? { markedAt: now, checkAt: now + keepMs } : 'remove';
}

export const referringMessageSql = 'SELECT 1 FROM messages WHERE message_id = ? AND destroyed_at IS NULL LIMIT 1';

function remove(connection: Connection, { seq }: Candidate): void {
  connection.run('DELETE FROM bodies WHERE seq = ?', seq);
  connection.run(`UPDATE accepts SET body_gone = 1, check_at = NULL, trace = '', blob_ref = NULL WHERE seq = ?`, seq);
  forgetAccept(connection, seq);
}

const isBlobReferred = (connection: Connection, ref: string): boolean =>
  connection.get('SELECT 1 FROM accepts WHERE blob_ref = ?', ref) !== undefined ||
  connection.get('SELECT 1 FROM message_bodies WHERE blob_ref = ?', ref) !== undefined;

function referredBlobs(connection: Connection, { refs }: { refs: readonly string[] }): string[] {
  return refs.filter((ref) => isBlobReferred(connection, ref));
}
