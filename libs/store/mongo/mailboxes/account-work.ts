import type { UpdateFilter } from 'mongodb';
import { NotFound } from '../../errors.ts';
import type { MailboxRole } from '../../ports/mailboxes.ts';
import type { MailAccountDocument, MailboxEntry } from './documents.ts';

/** A mailbox while a change works on it. */
export type WorkedMailbox = MailboxEntry & { id: string };

/** The changes of one account in one transaction: hands out modseqs and UIDs and counts; `update` is what is to be written. */
export class AccountWork {
  readonly accountId: string;
  readonly #before: MailAccountDocument;
  readonly #mailboxes: Map<string, WorkedMailbox>;
  readonly #changed = new Set<string>();
  #modseq: number;
  #usedBytes: number;
  #usedMessages: number;
  #uidValidity: number;
  #mailboxesChanged = false;

  constructor(account: MailAccountDocument) {
    this.accountId = account._id;
    this.#before = account;
    this.#mailboxes = new Map(Object.entries(account.mailboxes).map(([id, entry]) => [id, { id, ...entry }]));
    this.#modseq = account.modseq;
    this.#usedBytes = account.usedBytes;
    this.#usedMessages = account.usedMessages;
    this.#uidValidity = account.uidValidity;
  }

  get mailboxes(): ReadonlyMap<string, WorkedMailbox> {
    return this.#mailboxes;
  }

  nextModseq(): number {
    this.#modseq += 1;
    return this.#modseq;
  }

  /** True when another message of that size doesn't fit. */
  isOver(bytes: number): boolean {
    const { limitBytes, limitMessages } = this.#before;
    if (limitBytes !== null && this.#usedBytes + bytes > limitBytes) return true;
    return limitMessages !== null && this.#usedMessages + 1 > limitMessages;
  }

  use(bytes: number, messages: number): void {
    this.#usedBytes += bytes;
    this.#usedMessages += messages;
  }

  /** NotFound for an id of another account too. */
  mailbox(id: string): WorkedMailbox {
    const mailbox = this.#mailboxes.get(id);
    if (mailbox === undefined) throw new NotFound('mailbox');
    return mailbox;
  }

  mailboxOfRole(role: MailboxRole): WorkedMailbox {
    for (const mailbox of this.#mailboxes.values()) if (mailbox.role === role) return mailbox;
    throw new NotFound('mailbox');
  }

  /** A message comes in: its UID. */
  putIn(mailbox: WorkedMailbox, unread: boolean): number {
    this.count(mailbox, 1, Number(unread));
    mailbox.uidNext += 1;
    return mailbox.uidNext - 1;
  }

  count(mailbox: WorkedMailbox, total: number, unread: number): void {
    mailbox.total += total;
    mailbox.unread += unread;
    this.#touch(mailbox.id);
  }

  /** IMAP needs a new validity for a mailbox of a name that was there before (RFC 9051 §2.3.1.1). */
  create(id: string, place: { name: string; parentId: string | null }): WorkedMailbox {
    this.#uidValidity += 1;
    const counts = { total: 0, unread: 0, uidNext: 1, uidValidity: this.#uidValidity, modseq: this.nextModseq() };
    const mailbox: WorkedMailbox = { id, ...place, role: null, ...counts };
    this.#mailboxes.set(id, mailbox);
    this.#touch(id);
    return mailbox;
  }

  move(mailbox: WorkedMailbox, place: { name: string; parentId: string | null }): void {
    Object.assign(mailbox, place);
    this.nextModseq();
    this.#touch(mailbox.id);
  }

  delete(id: string): void {
    this.#mailboxes.delete(id);
    this.nextModseq();
    this.#touch(id);
  }

  /** Undefined when nothing has changed. */
  update(): UpdateFilter<MailAccountDocument> | undefined {
    if (this.#modseq === this.#before.modseq && !this.#mailboxesChanged) return undefined;
    const modseq = this.#modseq;
    const $set: Record<string, unknown> = {
      modseq,
      usedBytes: this.#usedBytes,
      usedMessages: this.#usedMessages,
      uidValidity: this.#uidValidity,
    };
    const $unset: Record<string, true> = {};
    if (this.#mailboxesChanged) $set['mailboxesModseq'] = modseq;
    for (const id of this.#changed) {
      const mailbox = this.#mailboxes.get(id);
      if (mailbox === undefined) $unset[`mailboxes.${id}`] = true;
      else $set[`mailboxes.${id}`] = entryOf({ ...mailbox, modseq });
    }
    return Object.keys($unset).length === 0 ? { $set } : { $set, $unset };
  }

  #touch(id: string): void {
    this.#changed.add(id);
    this.#mailboxesChanged = true;
  }
}

function entryOf({ id: _, ...entry }: WorkedMailbox): MailboxEntry {
  return entry;
}
