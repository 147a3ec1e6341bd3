import type { Owed } from '../../delivery/owed.ts';
import type { Claim, DeliveryRow, ReplyClass } from '../../delivery/row.ts';
import type { DeliveryState } from '../../delivery/state.ts';
import type { Steer } from '../../delivery/wish.ts';
import type { PartitionLease } from './partitions.ts';
import type { QueueAudit } from './queue-audit.ts';

/**
 * The rows of the queue. What an implementer must keep:
 *
 * - `claim` is one atomic step that *writes* the rows of all partitions named (`claimSeq` + 1 where owner and epoch match and the lease hasn't
 *   ended by the store's clock) together with the claimed rows. When one lease doesn't match, nothing is claimed for that partition.
 *   A takeover between the claim's read and its commit makes one of them fail: never both commit.
 * - An outcome is written only where the row is leased under the very same claim; a proven 250 (`delivered`) also turns any row that is neither
 *   final nor `reporting` into delivered, whoever brings it. All else from a stale holder answers `stale` and changes nothing.
 * - Transitions are those of `libs/delivery/state.ts`; no other. What a row owes its sender follows them in the same step (`owedAfter` in libs/delivery/owed.ts).
 */
export interface Deliveries {
  /**
   * Rows that may be claimed (queued or deferred, dueAt <= now) of the partitions, at most `perDestination` for each destination and `limit` in all,
   * lowest (priority, rank) first within a destination. `destinations`: only those that the mailbox service serves, or only the others, which then take
   * no part of the limit. `except`: destinations that aren't read, as they can't go now.
   */
  due(query: {
    partitions: readonly number[];
    now: number;
    perDestination: number;
    limit: number;
    destinations?: 'local' | 'remote';
    except?: ReadonlySet<string>;
  }): Promise<readonly DeliveryRow[]>;

  /** When the next row of these partitions falls due after `now` (ms), undefined when none waits. */
  nextDueAt(query: { partitions: readonly number[]; now: number }): Promise<number | undefined>;

  /** Leases rows that are still claimable; returns those that it got, as they are now. See above for what is atomic. */
  claim(request: {
    owner: string;
    leases: readonly PartitionLease[];
    ids: readonly string[];
    token: string;
    leaseMs: number;
    now: number;
  }): Promise<readonly DeliveryRow[]>;

  /** Lengthens the lease of the rows of a claim; returns the ids that still belong to it. */
  renew(request: { claim: Claim; ids: readonly string[]; leaseMs: number }): Promise<readonly string[]>;

  /**
   * Writes the end of attempts; local deliveries that succeed are written by Mailboxes.deliver instead. Answers in order. An outcome told again under
   * the same claim answers `recorded` again and counts once. A 250 for a row that is final or `reporting` is `stale`, and the trace tells of it.
   */
  record(outcomes: readonly Outcome[]): Promise<readonly OutcomeAnswer[]>;

  /**
   * Ends leases that have run out by the store's clock, and of local rows those of owners other than the holder of the partition: the rows become queued
   * (never attempted) or deferred, `dueAt` unchanged, or what was `wanted`. Rows for outside keep their lease when their owner goes: their worker is
   * perhaps in the middle of the session, and another would send the same mail again. Returns the rows.
   */
  expireLeases(query: { partitions: readonly number[]; now: number; limit: number }): Promise<readonly DeliveryRow[]>;

  /** Turns rows past `expiresAt` that are queued or deferred into failed; returns them. */
  expireRows(query: { partitions: readonly number[]; now: number; limit: number }): Promise<readonly DeliveryRow[]>;

  /**
   * Notes that the senders of waiting rows (queued or deferred) are owed a notice of delay: of rows past `noticeAt` and not past `expiresAt`, each once
   * (`noticeAt` goes, `owes` is `delay`). Returns how many were noted.
   */
  noteDelays(query: { partitions: readonly number[]; now: number; limit: number }): Promise<number>;

  /**
   * Messages of the message partitions whose sender is owed a report, oldest first: with a row in `failed` or `reporting`, or one that `owes`; what the
   * reporter works off.
   */
  owing(query: { messagePartitions: readonly number[]; limit: number }): Promise<readonly string[]>;

  /** All rows of a message, by target. */
  ofMessage(messageId: string): Promise<readonly DeliveryRow[]>;

  /**
   * failed → reporting for all failed rows of the message, stamped with the next report number n (from 1). Rows already `reporting` keep theirs and
   * are returned, and only they, so that a crashed reporter ends just the report that it had begun. Undefined when nothing is left to report.
   */
  startReport(request: {
    messageId: string;
    now: number;
  }): Promise<{ report: number; rows: readonly DeliveryRow[] } | undefined>;

  /** reporting → bounced, for the rows of that report. */
  finishReport(request: { messageId: string; report: number; now: number }): Promise<void>;

  /**
   * Stamps all rows of the message that owe this kind of notice with its number, another for each notice of that kind. Rows that have a number already keep it
   * and are returned, and only they, so that a crashed reporter ends just the notice that it had begun. Undefined when nothing is owed.
   */
  startNotice(request: {
    messageId: string;
    kind: Owed;
  }): Promise<{ notice: number; rows: readonly DeliveryRow[] } | undefined>;

  /** The rows of that notice owe it no more; `reply` is what their traces say. */
  finishNotice(request: { messageId: string; kind: Owed; notice: number; now: number; reply: string }): Promise<void>;

  get(id: string): Promise<{ row: DeliveryRow; attempts: readonly AttemptRow[] } | undefined>;

  /** Newest first by id. `cursor` is the last id of the page before. */
  list(filter: DeliveryFilter, page: { limit: number; cursor?: string }): Promise<readonly DeliveryRow[]>;

  counts(): Promise<{
    asOf: number;
    byState: Readonly<Record<DeliveryState, number>>;
    destinations: number;
    oldestDueAt?: number;
  }>;

  /** Rows of each of these destinations (at most 500 names) that have not ended, exact as of now; a destination without any is missing. */
  destinationCounts(destinations: readonly string[]): Promise<ReadonlyMap<string, DestinationCounts>>;

  /**
   * What an operator asks of one row; goes into its trace with the actor. `pending` when the row is leased and the wish was noted (`wanted`): it happens
   * when the attempt or its lease ends. A row that goes elsewhere, or to somebody else, is due at once when it was attempted before.
   */
  steer(request: Steer & { id: string; now: number; actor: string }): Promise<SteerAnswer>;

  /** The same of many rows (at most 100) in one step; `record` names the audit record in their traces. In order; `row` as it is afterwards, where it changed. */
  steerMany(
    request: Steer & { ids: readonly string[]; now: number; actor: string; record: string },
  ): Promise<readonly Steered[]>;

  /** What operators did, kept 90 days. */
  readonly audit: QueueAudit;

  /** Removes finished rows last updated before `before` (7 days); returns how many. */
  purge(query: { before: number; limit: number }): Promise<number>;
}

/** `ready` and `deferred`: due, and waiting for their time, whether they were attempted before or not. */
export interface DestinationCounts {
  ready: number;
  deferred: number;
  leased: number;
  held: number;
}

export type SteerAnswer = 'done' | 'pending' | 'refused' | 'absent';

export interface Steered {
  id: string;
  answer: SteerAnswer;
  row?: DeliveryRow;
}

/** The end of an attempt. `reply` is what the trace shows. */
export interface Outcome {
  id: string;
  claim: Claim;
  at: number;
  /** With whom it was, for the trace. */
  with?: { host?: string; address?: string; tls?: string };
  /** `relayed`: the sender asked to be told of success, and the server it went to passes no such wish on (RFC 3461 §5.2.2): telling is ours. */
  result:
    | { kind: 'delivered'; reply: string; relayed?: true }
    | { kind: 'deferred'; reply: string; replyClass: ReplyClass; nextAttemptAt: number }
    | { kind: 'failed'; reply: string; replyClass: ReplyClass }
    /** Handed back unattempted (a drain): the number of attempts doesn't grow. */
    | { kind: 'returned' };
}

export type OutcomeAnswer = { id: string; answer: 'recorded' | 'stale'; state?: DeliveryState };

/** One attempt, written with its outcome, kept as long as its delivery. */
export interface AttemptRow {
  at: number;
  event: string;
  host?: string;
  address?: string;
  tls?: string;
  reply: string;
}

export interface DeliveryFilter {
  state?: DeliveryState;
  destination?: string;
  sender?: string;
  recipient?: string;
  domain?: string;
  /** Part of the last reply, case-insensitive. */
  error?: string;
  /** All recipients of one message. */
  messageId?: string;
  /** Accepted before this (ms). */
  acceptedBefore?: number;
  /** Accepted at this or later (ms). */
  acceptedAfter?: number;
}
