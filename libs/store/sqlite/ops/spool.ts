import { partitionOf } from '../../../delivery/partition.ts';
import { recipientDomain } from '../../../delivery/recipient-domain.ts';
import type { Target } from '../../../delivery/row.ts';
import type { AcceptedMessage, AcceptResult, SpooledMessage } from '../../ports/spool.ts';
import type { Connection } from '../engine/connection.ts';
import { bodyOf, firstCheckMs } from './bodies.ts';
import { kindCodes, targetsPerMessage } from './delivery-codes.ts';
import { findIdempotent, idempotencyKeepMs, rememberIdempotent } from './idempotency.ts';
import { laneOf, rowsOfMessage, stateCounter } from './delivery-rows.ts';

/** An accept as it crosses to the writer: what isn't a column is JSON already. */
export interface AcceptArgs {
  messageId: string;
  acceptedAt: number;
  reversePath: string;
  details: string;
  trace: string;
  bytes: Uint8Array | null;
  blobRef: string | null;
  sizeBytes: number;
  sha256: string;
  targets: readonly Target[];
  idempotency: AcceptedMessage['idempotency'];
}

export const writes = { 'spool.accept': accept };

export const reads = {
  'spool.read': read,
  'spool.exists': (connection: Connection, args: { messageId: string }): boolean =>
    connection.get('SELECT 1 FROM accepts WHERE message_id = ?', args.messageId) !== undefined,
  'spool.findIdempotent': findIdempotent,
};

/** Everything of one message in the job of one savepoint: all or nothing (promise 1). */
function accept(connection: Connection, message: AcceptArgs): AcceptResult {
  const { messageId, idempotency } = message;
  if (idempotency !== undefined) {
    const earlier = findIdempotent(connection, { ...idempotency, after: message.acceptedAt - idempotencyKeepMs });
    if (earlier !== undefined && earlier.messageId !== messageId) return { accepted: false, ...earlier };
  }
  const { changes, lastId: seq } = connection.insert(
    acceptSql,
    messageId,
    message.acceptedAt,
    message.reversePath,
    message.details,
    message.trace,
    message.sizeBytes,
    message.sha256,
    message.blobRef,
    message.acceptedAt + firstCheckMs,
  );
  // A repeat after an unknown outcome: it is there, whole.
  if (changes === 0) return { accepted: true, messageId };
  if (message.bytes !== null) connection.run('INSERT INTO bodies (seq, bytes) VALUES (?, ?)', seq, message.bytes);
  for (const target of message.targets) insertDelivery(connection, seq, target, message);
  connection.count(stateCounter('queued'), message.targets.length);
  if (idempotency !== undefined) rememberIdempotent(connection, idempotency, message);
  return { accepted: true, messageId };
}

const acceptSql = `INSERT INTO accepts
  (message_id, accepted_at, reverse_path, details, trace, size_bytes, sha256, blob_ref, check_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id) DO NOTHING`;

const deliverySql = `INSERT INTO deliveries (id, message_id, state, lane, partition, destination, priority, rank, due_at,
  expires_at, alarm_at, updated_at, accepted_at, kind, account_id, recipient, domain, sender, size_bytes, extra)
  VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

function insertDelivery(connection: Connection, seq: number, target: Target, message: AcceptArgs): void {
  if (target.n >= targetsPerMessage)
    throw new RangeError(`target ${target.n}: a message has at most ${targetsPerMessage}`);
  const { acceptedAt } = message;
  connection.run(
    deliverySql,
    seq * targetsPerMessage + target.n,
    message.messageId,
    laneOf({ state: 'queued', attempts: 0 }, target.dueAt, acceptedAt),
    partitionOf(target.destination),
    target.destination,
    target.priority,
    target.rank,
    target.dueAt,
    target.expiresAt,
    target.noticeAt ?? target.expiresAt,
    acceptedAt,
    acceptedAt,
    kindCodes[target.kind],
    target.accountId ?? null,
    target.recipient,
    recipientDomain(target),
    message.reversePath,
    message.sizeBytes,
    extraOf(target),
  );
}

/** Fields that few targets have. */
function extraOf({ notify, originalRecipient, reversePath }: Target): string | null {
  if (notify === undefined && originalRecipient === undefined && reversePath === undefined) return null;
  return JSON.stringify({ notify, originalRecipient, reversePath });
}

function read(connection: Connection, args: { messageIds: readonly string[] }): Map<string, SpooledMessage> {
  const found = new Map<string, SpooledMessage>();
  for (const messageId of args.messageIds) {
    const message = readOne(connection, messageId);
    if (message !== undefined) found.set(messageId, message);
  }
  return found;
}

function readOne(connection: Connection, messageId: string): SpooledMessage | undefined {
  const row = connection.get<AcceptColumns>(
    `SELECT accepted_at AS acceptedAt, reverse_path AS reversePath, details, trace,
      size_bytes AS sizeBytes, sha256, blob_ref AS blobRef, bytes
      FROM accepts LEFT JOIN bodies USING (seq) WHERE message_id = ? AND body_gone = 0`,
    messageId,
  );
  const body = row === undefined ? undefined : bodyOf(row);
  if (row === undefined || body === undefined) return undefined;
  const { acceptedAt, reversePath, details, trace, sizeBytes, sha256 } = row;
  const { source, idempotency, ...envelope } = JSON.parse(details);
  const message: SpooledMessage = {
    messageId,
    acceptedAt,
    envelope: { reversePath, ...envelope },
    source,
    trace,
    body,
    sizeBytes,
    sha256,
    targets: targetsOf(connection, messageId),
  };
  return idempotency === undefined ? message : { ...message, idempotency };
}

interface AcceptColumns {
  acceptedAt: number;
  reversePath: string;
  details: string;
  trace: string;
  sizeBytes: number;
  sha256: string;
  blobRef: string | null;
  bytes: Uint8Array | null;
}

/** As frozen at acceptance: the delivery rows carry them, with `dueAt` as it is now. */
function targetsOf(connection: Connection, messageId: string): Target[] {
  return rowsOfMessage(connection, messageId).map((row) => {
    const { n, kind, recipient, accountId, destination, priority, rank, dueAt, expiresAt } = row;
    const { noticeAt, notify, originalRecipient, reversePath } = row;
    const target: Target = { n, kind, recipient, destination, priority, rank, dueAt, expiresAt };
    if (accountId !== undefined) target.accountId = accountId;
    if (noticeAt !== undefined) target.noticeAt = noticeAt;
    if (notify !== undefined) target.notify = notify;
    if (originalRecipient !== undefined) target.originalRecipient = originalRecipient;
    if (reversePath !== undefined) target.reversePath = reversePath;
    return target;
  });
}
