import { NotFound } from '../../../errors.ts';
import { firstMailboxes, stateToken } from '../../../mailbox-rules.ts';
import { mailboxRoles } from '../../../ports/mailboxes.ts';
import { newId } from '../../../../runtime/ids.ts';
import type { Connection } from '../../engine/connection.ts';

/** Row of `mail_accounts`. */
export interface AccountState {
  account: number;
  id: string;
  modseq: number;
  mailboxes_modseq: number;
  purged_modseq: number;
  uid_validity: number;
  used_bytes: number;
  used_messages: number;
  limit_bytes: number | null;
  limit_messages: number | null;
}

export const findAccount = (connection: Connection, accountId: string): AccountState | undefined =>
  connection.get<AccountState>('SELECT * FROM mail_accounts WHERE id = ?', accountId);

/** For reads: NotFound when the account has never been used; who reads then asks for `openAccount` and reads again. */
export function accountOf(connection: Connection, accountId: string): AccountState {
  const account = findAccount(connection, accountId);
  if (account === undefined) throw new NotFound('account');
  return account;
}

/** For writes: an account of the directory gets its mailboxes when it has none. NotFound when there is no such account. */
export function openAccount(connection: Connection, accountId: string): AccountState {
  const found = findAccount(connection, accountId);
  if (found !== undefined) return found;
  if (!isInDirectory(connection, accountId)) throw new NotFound('account');
  connection.run(
    'INSERT INTO mail_accounts (id, modseq, mailboxes_modseq, uid_validity) VALUES (?, 1, 1, ?)',
    accountId,
    mailboxRoles.length + 1,
  );
  const made = accountOf(connection, accountId);
  for (const [index, role] of mailboxRoles.entries()) {
    connection.run(
      'INSERT INTO mailboxes (account, id, name, role, uid_validity, modseq) VALUES (?, ?, ?, ?, ?, 1)',
      made.account,
      newId(),
      firstMailboxes[role],
      role,
      index + 1,
    );
  }
  return made;
}

/** True for accounts that exist, enabled or not. */
export const isInDirectory = (connection: Connection, accountId: string): boolean =>
  connection.get('SELECT 1 FROM directory_accounts WHERE id = ?', accountId) !== undefined;

/** Grows with each restore, so that tokens from before it are known for what they are. */
export const incarnationOf = (connection: Connection): number =>
  Number(connection.get<{ value: string }>("SELECT value FROM meta WHERE name = 'incarnation'")?.value);

export const stateOf = (connection: Connection, account: { modseq: number }): string =>
  stateToken(incarnationOf(connection), account.modseq);
