import type { Claim } from '../../delivery/row.ts';
import type { Body } from './spool.ts';

/**
 * Accounts' mailboxes and messages. What an implementer must keep:
 *
 * - Each change to an account is one transaction that takes the account's next modseq range: rows, UIDs, counts, quota use and (for a delivery)
 *   the outcome of the row, conditional on its claim. No reader sees modseq n+1 before n. A page and its state come from one snapshot.
 * - Local delivery is exactly once: unique (accountId, messageId, kind), kept also after the user expunges the message (30 days).
 * - Counts (`totalEmails`, `unreadEmails`, quota use) are always those of the rows.
 * - An id of another account is NotFound, in the same words as one that doesn't exist.
 * - A new account has its mailboxes (inbox, archive, drafts, sent, trash, junk) from its first use. An account is one that the directory knows,
 *   enabled or not; any other is NotFound.
 * - Rules that all adapters share (names, limits, unread, state tokens) are in ../mailbox-rules.ts, those of threads in ../threading.ts.
 */
export interface Mailboxes {
  /**
   * One transaction for the whole batch (all local destinations of one owner). Answers in order. A delivery that can't be kept (over quota, no such
   * account, stale claim) fails alone; the others commit. Rejects as a whole only when nothing was written.
   */
  deliver(deliveries: readonly LocalDelivery[], now: number): Promise<readonly LocalAnswer[]>;

  mailboxes(accountId: string): Promise<{ state: string; mailboxes: readonly Mailbox[] }>;
  /** Refused: `mailboxName`, `mailboxTooDeep`, `tooManyMailboxes`; AlreadyExists for a sibling of the same name, NotFound for the parent. */
  createMailbox(accountId: string, mailbox: { name: string; parentId: string | null }): Promise<Mailbox>;
  /** Refused: `mailboxInItself`, `mailboxHasRole` (roles can't be renamed away or nested), and as in createMailbox. */
  updateMailbox(accountId: string, id: string, patch: { name?: string; parentId?: string | null }): Promise<Mailbox>;
  /**
   * Refused: `mailboxHasRole`, `mailboxHasChild`, and `mailboxHasEmail` unless `moveTo` names a mailbox that takes the messages. A large mailbox is
   * emptied in several transactions; it goes with the last of them.
   */
  deleteMailbox(accountId: string, id: string, options: { moveTo?: string }): Promise<void>;

  /**
   * Newest first by (receivedAt, id); the cursor stays right while mail arrives: nothing twice, nothing left out. A search that passes over many
   * messages may answer a short page: there is more while `next` isn't null.
   */
  list(accountId: string, filter: MessageFilter, page: { limit: number; cursor?: ListCursor }): Promise<MessagePage>;
  get(accountId: string, id: string): Promise<MessageRow>;
  /** The row with its stored body and the trace that precedes it. */
  raw(accountId: string, id: string): Promise<{ message: MessageRow; trace: string; reversePath: string; body: Body }>;

  /** `ifModseq`: PreconditionFailed when the message's modseq is another. At least one mailbox remains, or it is Refused (`noMailbox`). */
  update(accountId: string, id: string, patch: MessagePatch, options: { ifModseq?: number }): Promise<MessageRow>;
  /** Expunges: the row keeps key and modseq 30 days, then goes. */
  destroy(accountId: string, id: string, options: { ifModseq?: number; now: number }): Promise<void>;
  /** Adds a message that didn't come by delivery (a draft, an upload); repeating it is one message. StoreFull and Refused (`overQuota`) as in deliver. */
  append(accountId: string, message: AppendedMessage): Promise<MessageRow>;

  /** Ids changed after `since`, oldest change first. CannotCalculateChanges when it is too old or of another incarnation. */
  changes(accountId: string, since: string, limit: number): Promise<Changes>;
  /** The account's state token now, `<incarnation>.<modseq>`. */
  state(accountId: string): Promise<string>;

  /** Use of the named accounts; unknown ones are missing. */
  usage(accountIds: readonly string[]): Promise<ReadonlyMap<string, QuotaUse>>;
  /** Copies the account's limits here, where deliver checks them; creates the account's mailboxes when missing. NotFound for a removed account. */
  setQuota(accountId: string, quota: { bytes: number | null; messages: number | null }): Promise<void>;
  /** The account is gone: its messages go; later deliveries to it are deferred. Bounded: call again until it answers 0. */
  removeAccount(accountId: string, limit: number): Promise<number>;

  /** Messages delivered and not yet indexed, oldest first: what the indexer works off after a crash. */
  unindexed(limit: number): Promise<readonly { accountId: string; id: string }[]>;
  /** Adds the tokens of messages to the search; repeating is harmless. Messages that are gone are passed over. */
  index(entries: readonly SearchEntry[]): Promise<void>;

  /** Removes expunged rows destroyed before `before`; returns how many. */
  purge(query: { before: number; limit: number }): Promise<number>;
}

export const mailboxRoles = ['inbox', 'archive', 'drafts', 'sent', 'trash', 'junk'] as const;
export type MailboxRole = (typeof mailboxRoles)[number];

/** RFC 8621 §2. */
export interface Mailbox {
  id: string;
  name: string;
  parentId: string | null;
  role: MailboxRole | null;
  totalEmails: number;
  unreadEmails: number;
}

/** RFC 8621 §4.1.2.3: `name` is null when the header has none. */
export interface EmailAddress {
  name: string | null;
  email: string;
}

/** What the list shows of a message, read from its headers once at delivery. */
export interface MessageSummary {
  from: readonly EmailAddress[];
  to: readonly EmailAddress[];
  cc: readonly EmailAddress[];
  subject: string;
  /** Message-ID, In-Reply-To and References without angle brackets; null and [] when missing. */
  messageIdHeader: string | null;
  inReplyTo: readonly string[];
  references: readonly string[];
  /** Date header, ms. */
  sentAt: number | null;
  preview: string;
  hasAttachment: boolean;
  /** It couldn't be parsed as mail (whole or in part): readable raw. */
  unparsable: boolean;
}

export interface LocalDelivery {
  deliveryId: string;
  claim: Claim;
  accountId: string;
  messageId: string;
  kind: 'inbox' | 'sent';
  /** Where it goes: the mailbox of this role. */
  role: MailboxRole;
  keywords: readonly string[];
  receivedAt: number;
  /** Of raw: Return-Path, trace and body. */
  sizeBytes: number;
  summary: MessageSummary;
}

export type LocalAnswer =
  | { answer: 'delivered'; id: string; modseq: number; overQuotaNow: boolean }
  /** It was there already (a repeat): the row is delivered, no second copy. */
  | { answer: 'duplicate' }
  /** Not delivered, the row stays with its claim for the caller to defer. */
  | { answer: 'overQuota' | 'noAccount' }
  /** The claim isn't the row's any more and the row isn't open for it; nothing was written. */
  | { answer: 'stale' };

export interface MessageRow extends MessageSummary {
  id: string;
  threadId: string;
  /** Names the raw bytes: `<messageId>-<kind>` of a delivered message, `append:<id>` of an appended one. */
  blobId: string;
  mailboxIds: readonly string[];
  /** RFC 8621 §4.1.1, lower case: `$seen`, `$flagged`, `$answered`, `$draft`… */
  keywords: readonly string[];
  receivedAt: number;
  sizeBytes: number;
  modseq: number;
}

export interface MessagePatch {
  /** true adds, false removes. */
  keywords?: Readonly<Record<string, boolean>>;
  mailboxIds?: Readonly<Record<string, boolean>>;
}

export interface MessageFilter {
  /** A mailbox's id or a role. */
  mailbox?: string;
  /** Searches; each is a conjunction of terms, a term is a list of consecutive tokens (libs/mail/search). */
  text?: SearchTerms;
  from?: SearchTerms;
  to?: SearchTerms;
  subject?: SearchTerms;
  /** receivedAt >= since, < before. */
  since?: number;
  before?: number;
  /** Neither `$seen` nor `$draft`, as `unreadEmails` counts. */
  unread?: boolean;
  hasAttachment?: boolean;
}

/** No terms find nothing. */
export type SearchTerms = readonly (readonly string[])[];

/** Tokens of each field, as libs/mail/search makes them. */
export interface SearchEntry {
  accountId: string;
  id: string;
  from: readonly string[];
  to: readonly string[];
  subject: readonly string[];
  text: readonly string[];
}

export interface ListCursor {
  receivedAt: number;
  id: string;
}

export interface MessagePage {
  state: string;
  messages: readonly MessageRow[];
  next: ListCursor | null;
}

export interface AppendedMessage {
  /** UUIDv7 of the message row. */
  id: string;
  body: Body;
  role: MailboxRole;
  keywords: readonly string[];
  receivedAt: number;
  sizeBytes: number;
  sha256: string;
  summary: MessageSummary;
}

export interface Changes {
  created: readonly string[];
  updated: readonly string[];
  destroyed: readonly string[];
  /** True when mailboxes or their counts changed too. */
  mailboxesChanged: boolean;
  newState: string;
  hasMore: boolean;
}

export interface QuotaUse {
  bytes: number;
  messages: number;
  limitBytes: number | null;
  limitMessages: number | null;
}
