import type { Connection } from '../../engine/connection.ts';
import { releaseBody } from '../bodies.ts';
import { findAccount, openAccount } from './account-state.ts';
import { AccountWork } from './account-work.ts';
import { takeOutOfMailbox } from './message-insert.ts';
import { parseList, type StoredMessage, storedMessage } from './message-rows.ts';
import { forgetSearch } from './search-index.ts';
import { memberOf } from './update.ts';

/** The row stays as a tombstone: its key refuses the same delivery again, its modseq is what `changes` reads. */
export function destroy(
  connection: Connection,
  args: { accountId: string; id: string; ifModseq?: number; now: number },
): void {
  const work = new AccountWork(connection, openAccount(connection, args.accountId));
  const message = storedMessage(connection, work.account, args.id, args.ifModseq);
  detach(connection, work, message);
  connection.run(
    `UPDATE messages SET destroyed_at = ?, modseq = ?, unread = 0, has_attachment = 0, mailboxes = '[]', keywords = '[]', summary = ''
     WHERE n = ?`,
    args.now,
    work.nextModseq(),
    message.n,
  );
  letBodyGo(connection, message, args.now);
  work.save();
}

/** Removes tombstones of messages destroyed before `before`; answers how many. What changed up to them can't be told any more. */
export function purge(connection: Connection, args: { before: number; limit: number }): number {
  const rows = connection.all<{ n: number; account: number; modseq: number }>(
    'SELECT n, account, modseq FROM messages WHERE destroyed_at < ? ORDER BY destroyed_at LIMIT ?',
    args.before,
    args.limit,
  );
  for (const { n, account, modseq } of rows) {
    connection.run('DELETE FROM messages WHERE n = ?', n);
    connection.run('UPDATE mail_accounts SET purged_modseq = max(purged_modseq, ?) WHERE account = ?', modseq, account);
  }
  return rows.length;
}

/** One step of removing all that an account has, tombstones too: at most `limit` rows. Answers how many went; 0 when nothing is left. */
export function removeAccount(connection: Connection, args: { accountId: string; limit: number; now: number }): number {
  const state = findAccount(connection, args.accountId);
  if (state === undefined) return 0;
  const { account } = state;
  const work = new AccountWork(connection, state);
  const rows = connection.all<StoredMessage & { destroyed_at: number | null }>(
    'SELECT * FROM messages WHERE account = ? ORDER BY modseq LIMIT ?',
    account,
    args.limit,
  );
  for (const row of rows) {
    if (row.destroyed_at === null) {
      detach(connection, work, row);
      letBodyGo(connection, row, args.now);
    }
    connection.run('DELETE FROM messages WHERE n = ?', row.n);
  }
  if (rows.length > 0) {
    work.nextModseq();
    work.save();
    return rows.length;
  }
  const references = connection.run(
    `DELETE FROM thread_references WHERE account = ?1 AND hash IN
       (SELECT hash FROM thread_references WHERE account = ?1 ORDER BY hash LIMIT ?2)`,
    account,
    args.limit,
  );
  if (references > 0) return references;
  connection.run('DELETE FROM mailboxes WHERE account = ?', account);
  connection.run('DELETE FROM mail_accounts WHERE account = ?', account);
  return 0;
}

/** Out of its mailboxes, the quota and the search. */
function detach(connection: Connection, work: AccountWork, message: StoredMessage): void {
  for (const id of parseList(message.mailboxes))
    takeOutOfMailbox(connection, work, work.mailbox(id), memberOf(message));
  work.use(-message.size, -1);
  forgetSearch(connection, { n: message.n, receivedAt: message.received_at });
}

/** An appended message's own body goes at once (a blob by the collection of those that no row names), the spool's when nothing else refers to it. */
function letBodyGo(connection: Connection, message: StoredMessage, now: number): void {
  if (message.kind === 'append') connection.run('DELETE FROM message_bodies WHERE n = ?', message.n);
  else releaseBody(connection, message.message_id, now);
}
