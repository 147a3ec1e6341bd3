import { partitionOf, partitionOfMessage } from '../../../delivery/partition.ts';
import { recipientDomain } from '../../../delivery/recipient-domain.ts';
import type { Owed } from '../../../delivery/owed.ts';
import type { Claim, DeliveryRow, Target } from '../../../delivery/row.ts';
import {
  type DeliveryStanding,
  type DeliveryState,
  deliveryStates,
  isClaimable,
  isFinal,
} from '../../../delivery/state.ts';
import type { AttemptRow } from '../../ports/deliveries.ts';

/**
 * A delivery. `_id` is `<messageId>/<n>` with n in four digits, so that its order is that of messages and targets. Marks that follow from other fields
 * exist for partial indexes alone: `lane`, `owed`, `done`, `trouble`.
 */
export interface DeliveryDocument extends Omit<DeliveryRow, 'id' | 'v'> {
  _id: string;
  /** 1 when this release wrote it (newer-documents.ts). */
  v: number;
  /** Whose owner reports its failure. */
  messagePartition: number;
  /** What the queue API finds it by: see `termOf`. One index for all of them, since each index costs every update, changed or not. */
  terms: readonly string[];
  /** The last claim: it outlives the lease, so that an outcome that is told twice is known again. */
  claim?: Claim;
  /** By the store's clock, of a leased row. */
  leaseUntil?: Date;
  /** Of a claimable row: 1 is due, 0 waits for `dueAt` and is moved to 1 when due falls behind. */
  lane?: 0 | 1;
  /** When something of a waiting row is due by time alone: its notice of a delay, from then on its expiry. */
  alarmAt?: number;
  /** failed or reporting, or it `owes`. */
  owed?: 1;
  /** In a final state. */
  done?: 1;
  /** The last reply wasn't a success. */
  trouble?: 1;
  /** One entry for each attempt and what operators did, oldest first; the last `maxTrace` are kept. */
  trace: readonly AttemptRow[];
}

/** States in the index by state: the newest delivered rows are found soon anyway, leased ones are few and soon something else. */
export const statesWithIndex: readonly DeliveryState[] = deliveryStates.filter(
  (state) => state !== 'leased' && state !== 'delivered',
);

/** Rows are read without their trace, but for one row alone. */
export type Delivery = Omit<DeliveryDocument, 'trace'>;
export const withoutTrace = { trace: 0 } as const;

/** 240 attempts take five days by the default schedule; a document ends at 16 MiB. */
export const maxTrace = 2_000;

export function newDelivery(
  message: { messageId: string; acceptedAt: number; sizeBytes: number; sender: string },
  target: Target,
): DeliveryDocument {
  const { messageId, acceptedAt, sizeBytes, sender } = message;
  return {
    _id: documentId(messageId, target.n),
    v: 1,
    messageId,
    messagePartition: partitionOfMessage(messageId),
    ...target,
    partition: partitionOf(target.destination),
    terms: termsOf(target, sender),
    sender,
    sizeBytes,
    state: 'queued',
    attempts: 0,
    alarmAt: target.noticeAt ?? target.expiresAt,
    ...marksOf({ state: 'queued', attempts: 0 }, target.dueAt, acceptedAt),
    acceptedAt,
    updatedAt: acceptedAt,
    trace: [],
  };
}

export function toRow(delivery: Delivery): DeliveryRow {
  const { messageId, n, state, claim, accountId, notify, originalRecipient, reversePath } = delivery;
  const { lastReply, lastReplyClass, wanted, wish, via, report, noticeAt, owes, notice } = delivery;
  const row: DeliveryRow = {
    v: 1,
    id: `${messageId}/${n}`,
    messageId,
    n,
    kind: delivery.kind,
    recipient: delivery.recipient,
    destination: delivery.destination,
    partition: delivery.partition,
    priority: delivery.priority,
    rank: delivery.rank,
    dueAt: delivery.dueAt,
    expiresAt: delivery.expiresAt,
    sender: delivery.sender,
    sizeBytes: delivery.sizeBytes,
    state,
    attempts: delivery.attempts,
    acceptedAt: delivery.acceptedAt,
    updatedAt: delivery.updatedAt,
  };
  if (accountId !== undefined) row.accountId = accountId;
  if (notify !== undefined) row.notify = notify;
  if (originalRecipient !== undefined) row.originalRecipient = originalRecipient;
  if (reversePath !== undefined) row.reversePath = reversePath;
  if (lastReply !== undefined) row.lastReply = lastReply;
  if (lastReplyClass !== undefined) row.lastReplyClass = lastReplyClass;
  if (wanted !== undefined) row.wanted = wanted;
  if (wish !== undefined) row.wish = wish;
  if (via !== undefined) row.via = via;
  if (report !== undefined) row.report = report;
  if (noticeAt !== undefined) row.noticeAt = noticeAt;
  if (owes !== undefined) row.owes = owes;
  if (notice !== undefined) row.notice = notice;
  if (state === 'leased' && claim !== undefined) row.claim = claim;
  return row;
}

/** `<messageId>/<n>` as it is stored; undefined for any other text. */
export function documentIdOf(id: string): string | undefined {
  const slash = id.lastIndexOf('/');
  const digits = id.slice(slash + 1);
  if (slash <= 0 || !/^(0|[1-9]\d{0,3})$/.test(digits)) return undefined;
  return documentId(id.slice(0, slash), Number(digits));
}

/** All rows of a message, as a range of `_id`: '0' follows '/'. */
export const idsOfMessage = (messageId: string): { $gt: string; $lt: string } => ({
  $gt: `${messageId}/`,
  $lt: `${messageId}0`,
});

type Marks = Pick<DeliveryDocument, 'lane' | 'owed' | 'done'>;

export function marksOf(
  { state, owes }: DeliveryStanding & { owes?: Owed | undefined },
  dueAt: number,
  now: number,
): Marks {
  const isOwed = owes !== undefined || state === 'failed' || state === 'reporting';
  const owed = isOwed ? { owed: 1 as const } : {};
  if (isClaimable(state)) return { ...owed, lane: dueAt <= now ? 1 : 0 };
  return isFinal(state) ? { ...owed, done: 1 } : owed;
}

const documentId = (messageId: string, n: number): string => `${messageId}/${String(n).padStart(4, '0')}`;

export function termsOf(target: Pick<Target, 'kind' | 'destination' | 'recipient'>, sender: string): string[] {
  const { recipient, destination } = target;
  return Object.entries({ sender, recipient, destination, domain: recipientDomain(target) }).map(([field, value]) =>
    termOf(field, value),
  );
}

/** A field of the queue API's filters with its value. */
export const termOf = (field: string, value: string): string => `${field} ${value}`;
