import type { Connection } from '../../engine/connection.ts';

/** Tokens of one message, joined by spaces on the main thread. */
export interface IndexEntry {
  accountId: string;
  id: string;
  from: string;
  to: string;
  subject: string;
  text: string;
}

/** The row of a message in `message_search`, from its received_at and n: SQLite computes it, because it is past 2^53. */
const searchRow = '((? << 21) | (? & 2097151))';

/** What marks the messages of an account in the search. */
export const accountToken = (account: number): string => `a${account}`;

export function unindexed(connection: Connection, args: { limit: number }): { accountId: string; id: string }[] {
  return connection.all(
    `SELECT a.id AS accountId, m.id AS id FROM search_pending p CROSS JOIN messages m ON m.n = p.n
       CROSS JOIN mail_accounts a ON a.account = m.account ORDER BY p.n LIMIT ?`,
    args.limit,
  );
}

/** An entry replaces what was there of the message; messages that are gone are passed over. */
export function index(connection: Connection, args: { entries: readonly IndexEntry[] }): void {
  for (const entry of args.entries) {
    const message = connection.get<{ n: number; account: number; receivedAt: number }>(
      `SELECT m.n, m.account, m.received_at AS receivedAt FROM messages m CROSS JOIN mail_accounts a ON a.account = m.account
       WHERE m.id = ? AND a.id = ? AND m.destroyed_at IS NULL`,
      entry.id,
      entry.accountId,
    );
    if (message === undefined) continue;
    forgetSearch(connection, message);
    connection.run(
      `INSERT OR REPLACE INTO message_search (rowid, n, acct, sender, recipients, subject, body) VALUES (${searchRow}, ?, ?, ?, ?, ?, ?)`,
      message.receivedAt,
      message.n,
      message.n,
      accountToken(message.account),
      entry.from,
      entry.to,
      entry.subject,
      entry.text,
    );
  }
}

/** Out of what is indexed, and out of what waits for it. */
export function forgetSearch(connection: Connection, message: { n: number; receivedAt: number }): void {
  const waited = connection.run('DELETE FROM search_pending WHERE n = ?', message.n) > 0;
  if (!waited) connection.run(`DELETE FROM message_search WHERE rowid = ${searchRow}`, message.receivedAt, message.n);
}
