import type { Target } from '../../delivery/row.ts';

/**
 * Where accepted mail becomes durable. What an implementer must keep:
 *
 * - `accept` resolves only when the bytes (or the reference to a blob that is durable already), the envelope and every target are on stable
 *   storage: SQLite commit with synchronous=FULL, MongoDB `w: majority, j: true`. Many accepts share one commit.
 * - It rejects with StoreFull, StoreBusy, StoreUnavailable (nothing was written) or OutcomeUnknown (may be written; until a probe has
 *   committed, every further accept is rejected with StoreUnavailable).
 * - Accepting the same `messageId` again is one message: the second call resolves like the first (a retry after an unknown outcome).
 * - Accept rows change only in `routedAt` and collection marks. A message always has all its delivery rows or none until fan-out is complete.
 */
export interface Spool {
  /** True: `accept` writes the delivery rows too, so that no fan-out has to follow it. */
  readonly routesOnAccept: boolean;

  accept(message: AcceptedMessage): Promise<AcceptResult>;

  /** Envelope and body of the named messages; unknown ids are missing from the map. Inline bytes come along; of blobs only the reference. */
  read(messageIds: readonly string[]): Promise<ReadonlyMap<string, SpooledMessage>>;

  /**
   * Inserts the missing delivery rows of the message and marks it routed; safe to repeat at any time, also after rows have finished.
   * SQLite has done so in `accept`. Returns false when there is no such message.
   */
  fanOut(messageId: string): Promise<boolean>;

  /**
   * The same for a message that this process has just accepted, gathered with others for a few hundredths of a second: resolves when the rows are there. The
   * mark that it is routed follows within seconds; until then another may do it all again.
   */
  fanOutSoon(messageId: string): Promise<void>;

  /** Ids of messages accepted before `acceptedBefore` (ms) whose fan-out isn't complete, of the given message partitions, oldest first. */
  unrouted(query: { partitions: readonly number[]; acceptedBefore: number; limit: number }): Promise<readonly string[]>;

  /** The message that an Idempotency-Key of this account has made within 24 h of `now` (ms; without it, also one that is about to be forgotten). */
  findIdempotent(
    accountId: string,
    key: string,
    now?: number,
  ): Promise<{ messageId: string; requestHash: string } | undefined>;

  /** True when a write commits within `timeoutMs`; what readiness asks. */
  probe(timeoutMs: number): Promise<boolean>;

  /**
   * Removes bodies that nothing refers to any more; returns how many bodies went and the blob references to delete. Bounded: `more` says that
   * other bodies' time has come too.
   */
  collect(query: {
    now: number;
    keepMs: number;
    limit: number;
  }): Promise<{ removed: number; blobs: readonly string[]; more: boolean }>;

  /** Those of the blob references that a body still names; of the others, those older than 48 h may be removed. */
  referredBlobs(refs: readonly string[]): Promise<ReadonlySet<string>>;
}

/** `accepted: false`: the Idempotency-Key was used before; `messageId` is the earlier message and `requestHash` that of its request. */
export interface AcceptResult {
  accepted: boolean;
  messageId: string;
  requestHash?: string;
}

export interface Envelope {
  /** RFC 5321 §4.1.1.2 without brackets; '' is the null reverse-path. */
  reversePath: string;
  smtputf8: boolean;
  body: '7BIT' | '8BITMIME';
  /** RFC 3461 §4.4 and §4.3. */
  envid?: string;
  ret?: 'FULL' | 'HDRS';
}

/** Where a message came from, for its trace. */
export interface Source {
  by: 'mx' | 'submission' | 'lmtp' | 'http' | 'report';
  remoteAddress?: string;
  helo?: string;
  /** Of the authenticated client. */
  accountId?: string;
  tls?: string;
}

export type Body = { kind: 'inline'; bytes: Uint8Array } | { kind: 'blob'; ref: string };

export interface AcceptedMessage {
  /** UUIDv7, minted by the accepting process. */
  messageId: string;
  acceptedAt: number;
  envelope: Envelope;
  source: Source;
  /** The trace headers that we put before the received bytes: our Received line(s), each ended by CRLF. Return-Path is added at reading. */
  trace: string;
  body: Body;
  /** Of the received bytes, without our trace. */
  sizeBytes: number;
  /** Lower-case hex, of the received bytes. */
  sha256: string;
  targets: readonly Target[];
  idempotency?: { accountId: string; key: string; requestHash: string };
}

export type SpooledMessage = AcceptedMessage;
