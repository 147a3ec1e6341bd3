import type { DeliveryRow } from '../../../delivery/row.ts';
import { kindOf, owedOf, replyClassOf, stateOf, targetsPerMessage, wantedOf } from './delivery-codes.ts';

/** The columns of `toRow`, in one SELECT list. */
export const rowColumns = `id, message_id AS messageId, state, partition, destination, priority, rank, due_at AS dueAt,
  expires_at AS expiresAt, alarm_at AS alarmAt, owes, notice, attempts, claim_owner AS claimOwner, claim_epoch AS claimEpoch, claim_token AS claimToken, lease_until AS leaseUntil, wanted, wish, report,
  last_reply AS lastReply, last_reply_class AS lastReplyClass, updated_at AS updatedAt, accepted_at AS acceptedAt, kind,
  account_id AS accountId, recipient, sender, size_bytes AS sizeBytes, extra`;

export interface RowColumns {
  id: number;
  messageId: string;
  state: number;
  partition: number;
  destination: string;
  priority: number;
  rank: number;
  dueAt: number;
  expiresAt: number;
  alarmAt: number;
  owes: number | null;
  notice: number | null;
  attempts: number;
  claimOwner: string | null;
  claimEpoch: number | null;
  claimToken: string | null;
  leaseUntil: number | null;
  wanted: number | null;
  wish: string | null;
  report: number | null;
  lastReply: string | null;
  lastReplyClass: number | null;
  updatedAt: number;
  acceptedAt: number;
  kind: number;
  accountId: string | null;
  recipient: string;
  sender: string;
  sizeBytes: number;
  extra: string | null;
}

export function toRow(columns: RowColumns): DeliveryRow {
  const n = columns.id % targetsPerMessage;
  const state = stateOf(columns.state);
  const row: DeliveryRow = {
    v: 1,
    id: `${columns.messageId}/${n}`,
    n,
    messageId: columns.messageId,
    kind: kindOf(columns.kind),
    recipient: columns.recipient,
    destination: columns.destination,
    partition: columns.partition,
    priority: columns.priority,
    rank: columns.rank,
    dueAt: columns.dueAt,
    expiresAt: columns.expiresAt,
    sender: columns.sender,
    sizeBytes: columns.sizeBytes,
    state,
    attempts: columns.attempts,
    acceptedAt: columns.acceptedAt,
    updatedAt: columns.updatedAt,
  };
  if (columns.accountId !== null) row.accountId = columns.accountId;
  if (columns.lastReply !== null) row.lastReply = columns.lastReply;
  if (columns.lastReplyClass !== null) row.lastReplyClass = replyClassOf(columns.lastReplyClass);
  if (columns.wanted !== null) row.wanted = wantedOf(columns.wanted);
  if (columns.wish !== null) row.wish = JSON.parse(columns.wish);
  if (columns.report !== null) row.report = columns.report;
  if (columns.alarmAt < columns.expiresAt) row.noticeAt = columns.alarmAt;
  if (columns.owes !== null) row.owes = owedOf(columns.owes);
  if (columns.notice !== null) row.notice = columns.notice;
  const { claimOwner: owner, claimEpoch: epoch, claimToken: token } = columns;
  if (state === 'leased' && owner !== null && epoch !== null && token !== null) row.claim = { owner, epoch, token };
  // Written by `accept` from a Target, and `via` by an operator: the same fields come back.
  if (columns.extra !== null) Object.assign(row, JSON.parse(columns.extra));
  return row;
}
