import type { Body } from '../../ports/spool.ts';
import type { Connection } from '../engine/connection.ts';

/**
 * Bodies: kept once, referred to by deliveries and by messages of mailboxes (through `message_id`).
 */
export interface StoredBody {
  reversePath: string;
  trace: string;
  sizeBytes: number;
  sha256: string;
  body: Body;
}

/** The body of a message with what is put before it; undefined when there is none (any more). */
export function readBody(connection: Connection, messageId: string): StoredBody | undefined {
  const row = connection.get<BodyColumns>(
    `SELECT reverse_path AS reversePath, trace, size_bytes AS sizeBytes, sha256, blob_ref AS blobRef, bytes
      FROM accepts LEFT JOIN bodies USING (seq) WHERE message_id = ? AND body_gone = 0`,
    messageId,
  );
  if (row === undefined) return undefined;
  const { reversePath, trace, sizeBytes, sha256 } = row;
  const body = bodyOf(row);
  return body === undefined ? undefined : { reversePath, trace, sizeBytes, sha256, body };
}

/** To call in the transaction that removes a reference: the collection looks soon, instead of after `referredCheckMs`. */
export function releaseBody(connection: Connection, messageId: string, at: number): void {
  connection.run(
    'UPDATE accepts SET check_at = min(check_at, ?) WHERE message_id = ? AND body_gone = 0',
    at,
    messageId,
  );
}

/** A new body is looked at after a day. */
export const firstCheckMs = 24 * 3_600_000;

export interface BodyColumns {
  reversePath: string;
  trace: string;
  sizeBytes: number;
  sha256: string;
  blobRef: string | null;
  bytes: Uint8Array | null;
}

export function bodyOf(row: { blobRef: string | null; bytes: Uint8Array | null }): Body | undefined {
  if (row.blobRef !== null) return { kind: 'blob', ref: row.blobRef };
  return row.bytes === null ? undefined : { kind: 'inline', bytes: row.bytes };
}
