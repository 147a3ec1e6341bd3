import { NotFound } from '../../../errors.ts';
import type { MailboxRole } from '../../../ports/mailboxes.ts';
import type { Connection } from '../../engine/connection.ts';
import type { AccountState } from './account-state.ts';

/** A mailbox while an operation works on it. */
export interface WorkedMailbox {
  mailbox: number;
  id: string;
  total: number;
  unread: number;
  uid_next: number;
  changed: boolean;
}

/**
 * The changes of one account in one operation: hands out modseqs and UIDs and counts, and writes account and mailboxes once, at `save`. The caller
 * must `save`, or fail (its savepoint then takes everything back).
 */
export class AccountWork {
  readonly account: number;
  readonly accountId: string;
  readonly limits: { bytes: number | null; messages: number | null };
  #modseq: number;
  #usedBytes: number;
  #usedMessages: number;
  #mailboxesChanged = false;
  readonly #byId = new Map<string, WorkedMailbox>();
  readonly #idOfRole = new Map<MailboxRole, string>();
  readonly #connection: Connection;

  constructor(connection: Connection, state: AccountState) {
    this.#connection = connection;
    this.account = state.account;
    this.accountId = state.id;
    this.limits = { bytes: state.limit_bytes, messages: state.limit_messages };
    this.#modseq = state.modseq;
    this.#usedBytes = state.used_bytes;
    this.#usedMessages = state.used_messages;
  }

  get modseq(): number {
    return this.#modseq;
  }

  nextModseq(): number {
    this.#modseq += 1;
    return this.#modseq;
  }

  /** True when another message of that size doesn't fit. */
  isOver(bytes: number): boolean {
    const { limits } = this;
    if (limits.bytes !== null && this.#usedBytes + bytes > limits.bytes) return true;
    return limits.messages !== null && this.#usedMessages + 1 > limits.messages;
  }

  use(bytes: number, messages: number): void {
    this.#usedBytes += bytes;
    this.#usedMessages += messages;
  }

  /** NotFound for an id of another account too. */
  mailbox(id: string): WorkedMailbox {
    return this.#byId.get(id) ?? this.#load('id', id);
  }

  mailboxOfRole(role: MailboxRole): WorkedMailbox {
    const id = this.#idOfRole.get(role);
    if (id !== undefined) return this.mailbox(id);
    const loaded = this.#load('role', role);
    this.#idOfRole.set(role, loaded.id);
    return loaded;
  }

  count(mailbox: WorkedMailbox, total: number, unread: number): void {
    mailbox.total += total;
    mailbox.unread += unread;
    mailbox.changed = true;
    this.#mailboxesChanged = true;
  }

  /** The tree itself has changed: a mailbox was made, renamed, moved or deleted. */
  mailboxesChanged(): void {
    this.#mailboxesChanged = true;
  }

  save(): void {
    const modseq = this.#modseq;
    for (const mailbox of this.#byId.values()) {
      if (!mailbox.changed) continue;
      this.#connection.run(
        'UPDATE mailboxes SET total = ?, unread = ?, uid_next = ?, modseq = ? WHERE mailbox = ?',
        mailbox.total,
        mailbox.unread,
        mailbox.uid_next,
        modseq,
        mailbox.mailbox,
      );
      mailbox.changed = false;
    }
    this.#connection.run(
      `UPDATE mail_accounts SET modseq = ?1, mailboxes_modseq = iif(?2, ?1, mailboxes_modseq), used_bytes = ?3, used_messages = ?4
       WHERE account = ?5`,
      modseq,
      Number(this.#mailboxesChanged),
      this.#usedBytes,
      this.#usedMessages,
      this.account,
    );
  }

  #load(by: 'id' | 'role', value: string): WorkedMailbox {
    const row = this.#connection.get<Omit<WorkedMailbox, 'changed'>>(
      `SELECT mailbox, id, total, unread, uid_next FROM mailboxes WHERE account = ? AND ${by} = ?`,
      this.account,
      value,
    );
    if (row === undefined) throw new NotFound('mailbox');
    const loaded = this.#byId.get(row.id) ?? { ...row, changed: false };
    this.#byId.set(row.id, loaded);
    return loaded;
  }
}
