import type { Binary } from 'mongodb';
import type { MailboxRole, MessageRow, MessageSummary } from '../../ports/mailboxes.ts';

/**
 * An account's state. Its mailboxes with their counts are in it, so that a delivery writes one document for the account, and a page of mailboxes is of one moment.
 * Each change of the account writes it, which puts all changes of an account in one order (promise 7).
 */
export interface MailAccountDocument {
  /** The accountId. */
  _id: string;
  v: 1;
  /** The account was removed and its mail with it; the document stays, so that nobody who was late to hear it opens the account again. */
  gone?: true | null;
  /** The last that was given; the next change takes the next. */
  modseq: number;
  mailboxesModseq: number;
  /** Changes up to it can't be told any more. */
  purgedModseq: number;
  /** The last UIDVALIDITY that a mailbox was given (RFC 9051 §2.3.1.1). */
  uidValidity: number;
  usedBytes: number;
  usedMessages: number;
  limitBytes: number | null;
  limitMessages: number | null;
  /** By id, in the order of their making. */
  mailboxes: Record<string, MailboxEntry>;
}

export interface MailboxEntry {
  name: string;
  parentId: string | null;
  role: MailboxRole | null;
  total: number;
  unread: number;
  uidNext: number;
  uidValidity: number;
  modseq: number;
}

/** One copy of a message in an account. Times are ms since the epoch. */
export interface MessageDocument {
  /** UUIDv7. */
  _id: string;
  v: 1;
  accountId: string;
  /** The spool's; of an appended message its own id. */
  messageId: string;
  kind: 'inbox' | 'sent' | 'append';
  threadId: string;
  /** Sorted by when the message came in. Empty when expunged. */
  mailboxIds: readonly string[];
  /** RFC 9051 §2.3.1.1, by mailbox. */
  uids: Readonly<Record<string, number>>;
  keywords: readonly string[];
  receivedAt: number;
  sizeBytes: number;
  modseq: number;
  createdModseq: number;
  /** True once it has another modseq than at its creation. */
  changed?: true;
  /** Unread 1 + attachment 2, for lists; missing when expunged. */
  flags?: number;
  /** Missing when expunged: the row is a tombstone, which keeps key and modseq. */
  live?: true;
  /** The search knows its words. Missing also in what came before the search. */
  searched?: 1 | null;
  summary?: MessageSummary;
  destroyedAt?: number;
}

/** The body of an appended message; those of delivered ones are the spool's. */
export interface MessageBodyDocument {
  /** Of the message. */
  _id: string;
  v: 1;
  accountId: string;
  bytes?: Binary;
  blob?: string;
  sha256: string;
}

/** Which thread a Message-ID or a base subject belongs to. */
export interface ThreadReferenceDocument {
  /** `<accountId>/<hash of the key>`. */
  _id: string;
  v: 1;
  threadId: string;
  /** receivedAt of the last message, for subjects. */
  at: number;
}

export const flagsOf = (unread: boolean, hasAttachment: boolean): number => Number(unread) + 2 * Number(hasAttachment);

/** The values of `flags` that a filter allows. */
export function wantedFlags(unread: boolean | undefined, hasAttachment: boolean | undefined): number[] {
  const either = [false, true];
  return either
    .filter((value) => hasAttachment === undefined || value === hasAttachment)
    .flatMap((attachment) =>
      either.filter((value) => unread === undefined || value === unread).map((value) => flagsOf(value, attachment)),
    );
}

export function messageRow(document: MessageDocument): MessageRow {
  const { _id: id, threadId, messageId, kind, mailboxIds, keywords, receivedAt, sizeBytes, modseq, summary } = document;
  const blobId = kind === 'append' ? `append:${messageId}` : `${messageId}-${kind}`;
  return { id, threadId, blobId, mailboxIds, keywords, receivedAt, sizeBytes, modseq, ...(summary ?? noSummary) };
}

const noSummary: MessageSummary = {
  from: [],
  to: [],
  cc: [],
  subject: '',
  messageIdHeader: null,
  inReplyTo: [],
  references: [],
  sentAt: null,
  preview: '',
  hasAttachment: false,
  unparsable: false,
};
