import type { Connection } from '../engine/connection.ts';

/** How long an Idempotency-Key is remembered. */
export const idempotencyKeepMs = 24 * 3_600_000;

export interface Idempotency {
  accountId: string;
  key: string;
  requestHash: string;
}

/** The message that the key has made after `after` (ms). */
export function findIdempotent(
  connection: Connection,
  { accountId, key, after }: { accountId: string; key: string; after: number },
): { messageId: string; requestHash: string } | undefined {
  return connection.get(
    `SELECT message_id AS messageId, request_hash AS requestHash FROM idempotency
      WHERE account_id = ? AND key = ? AND at > ?`,
    accountId,
    key,
    after,
  );
}

export function rememberIdempotent(
  connection: Connection,
  idempotency: Idempotency,
  message: { messageId: string; acceptedAt: number },
): void {
  connection.run(
    `INSERT INTO idempotency (account_id, key, message_id, request_hash, at) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET message_id = excluded.message_id, request_hash = excluded.request_hash, at = excluded.at`,
    idempotency.accountId,
    idempotency.key,
    message.messageId,
    idempotency.requestHash,
    message.acceptedAt,
  );
}

/** Forgets what is older than `keepMs`. */
export function forgetIdempotent(connection: Connection, now: number): void {
  connection.run('DELETE FROM idempotency WHERE at <= ?', now - idempotencyKeepMs);
}
