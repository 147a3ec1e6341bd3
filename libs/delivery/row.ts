import type { Owed } from './owed.ts';
import type { DeliveryState } from './state.ts';

/** Number of partitions, for ever: a destination's partition is a hash of its name (see partition.ts). */
export const partitionCount = 256;

/** RFC 3461 §4.1: when the sender wants to be told. Absent: only of failure (and delay). */
export type Notify = readonly ('SUCCESS' | 'FAILURE' | 'DELAY')[] | 'NEVER';

/** What a target is: a copy for a local inbox, the sender's own copy, or a recipient elsewhere. */
export type TargetKind = 'inbox' | 'sent' | 'remote';

/**
 * One recipient of an accepted message, frozen at acceptance: aliases are expanded and duplicates merged (two aliases of one account are one
 * target). Times are ms since the epoch.
 */
export interface Target {
  /** Position in the message's targets, from 0; the delivery's id is `<messageId>/<n>`. */
  n: number;
  kind: TargetKind;
  /** The address as the client gave it in RCPT (RFC 5321 §4.1.1.3), without angle brackets; where an alias leads elsewhere, the address that it names. */
  recipient: string;
  /** Of local targets. */
  accountId?: string;
  /** The recipient's domain as A-label, or `local:<0…63>` (see partition.ts). */
  destination: string;
  /** Lower goes first: 0 reports and one-time codes, 1 ordinary, 2 bulk. */
  priority: number;
  /** Order among rows of the same priority at one destination: max(now, the sender's last rank there) + cost. */
  rank: number;
  /** No attempt before this. */
  dueAt: number;
  /** After this the delivery has failed. */
  expiresAt: number;
  /** When the sender is told, once, that it still waits; absent: never, or it was noted as owed by then (DeliveryRow.owes). */
  noticeAt?: number;
  notify?: Notify;
  /** ORCPT with its xtext decoded, `addr-type;addr` (RFC 3461 §4.2). */
  originalRecipient?: string;
  /** MAIL FROM for this target where it isn't the message's reverse-path: an alias forwards it, so it goes under an address of ours (SRS). */
  reversePath?: string;
}

/** Who holds a leased row: writing an outcome needs all of it to match, which is what fences a stale holder. */
export interface Claim {
  /** The partition's owner that handed it out, and the epoch of its lease. */
  owner: string;
  epoch: number;
  /** One claim of one batch; a row claimed again gets another. */
  token: string;
}

/** Class of the last reply: what the next step was decided by. */
export type ReplyClass = 'ok' | 'temporary' | 'permanent' | 'network' | 'unknown';

/** A delivery as it is stored: one target on its way. */
export interface DeliveryRow extends Target {
  v: 1;
  /** `<messageId>/<n>`. */
  id: string;
  messageId: string;
  /** 0…255 */
  partition: number;
  /** RFC 5321 reverse-path without brackets, '' for the null sender. */
  sender: string;
  /** Size of the accepted bytes. */
  sizeBytes: number;
  state: DeliveryState;
  attempts: number;
  lastReply?: string;
  lastReplyClass?: ReplyClass;
  /** Of a leased row. */
  claim?: Claim;
  /** What an operator asked for while the row was leased; applied when the attempt or its lease ends. */
  wanted?: Wanted;
  /** What comes with it. */
  wish?: Wish;
  /** Set by an operator: where it goes in place of what its destination's DNS and routes say. Of remote rows alone. */
  via?: Via;
  /** Number of the report that this failure belongs to, from `reporting` on. */
  report?: number;
  /** What the sender is to be told besides a failure, written with what made it so. */
  owes?: Owed;
  /** Number of the notice that `owes` belongs to, from when that was begun. */
  notice?: number;
  acceptedAt: number;
  updatedAt: number;
}

export type Wanted = 'cancel' | 'hold' | 'bounce' | 'reroute' | 'recipient';

/** A route of the configuration by its name (`routeName`), or a host that the operator names, which may be private. */
export type Via = { route: string } | { host: string; port: number };

/** What an operator changes of a row. One wish is kept at a time for each of these. */
export interface Wish {
  /** Of a bounce: what the sender's report quotes. */
  reply?: string;
  /** null: back to what its destination says. */
  via?: Via | null;
  to?: Readdressed;
}

/** The new recipient of a row, resolved; its destination decides the partition. */
export interface Readdressed {
  recipient: string;
  kind: 'inbox' | 'remote';
  /** Of an inbox. */
  accountId?: string;
  destination: string;
}
