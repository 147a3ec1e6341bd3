import { newId } from '../../libs/runtime/ids.ts';
import type { MessageSummary } from '../../libs/store/ports/mailboxes.ts';
import { Connection } from '../../libs/store/sqlite/engine/connection.ts';

/** Rows as deliver leaves them, by SQL alone: a million deliveries would take minutes. Every tenth is unread, every word of the subject is indexed. */
export function fillMailbox(file: string, accountId: string, count: number): void {
  const connection = new Connection(file, { readOnly: false });
  const account =
    connection.get<{ n: number }>('SELECT account AS n FROM mail_accounts WHERE id = ?', accountId)?.n ?? 0;
  const inbox = connection.get<{ n: number; id: string }>(
    "SELECT mailbox AS n, id FROM mailboxes WHERE account = ? AND role = 'inbox'",
    account,
  );
  if (inbox === undefined) throw new Error('no inbox');
  const first = (connection.get<{ n: number | null }>('SELECT max(n) AS n FROM messages')?.n ?? 0) + 1;
  const { subject: _, ...rest } = summaryOf('');
  connection.exec('BEGIN');
  connection.run(
    `INSERT INTO messages (n, account, id, message_id, kind, thread_id, mailboxes, keywords, received_at, size, unread, has_attachment, modseq,
       created_modseq, summary)
     WITH RECURSIVE i (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM i WHERE i < ?1 - 1)
     SELECT ?2 + i, ?3, printf('00000000-0000-7000-8000-%012x', ?2 + i), printf('message-%d', ?2 + i), 'inbox', 'thread', ?4,
       iif(i % 10 = 0, '[]', '["$seen"]'), 1600000000000 + i * 1000, 4200, i % 10 = 0, i % 20 = 0, i + 2, i + 2, '"subject":"number ' || i || '",' || ?5 FROM i`,
    count,
    first,
    account,
    `["${inbox.id}"]`,
    JSON.stringify(rest).slice(1),
  );
  connection.run(
    `INSERT INTO mailbox_messages SELECT ?, received_at, id, n, n, unread, has_attachment FROM messages WHERE account = ? ORDER BY n`,
    inbox.n,
    account,
  );
  connection.run(
    `INSERT INTO message_search (rowid, n, acct, sender, recipients, subject, body)
     SELECT (received_at << 21) | (n & 2097151), n, 'a' || account, 'alice example test', 'bob', 'number ' || n, 'common words of a body' || iif(n % 1000 = 0, ' rare', '')
     FROM messages WHERE account = ? ORDER BY n`,
    account,
  );
  connection.run('UPDATE mailboxes SET total = ?, unread = ? WHERE mailbox = ?', count, Math.ceil(count / 10), inbox.n);
  connection.run('UPDATE mail_accounts SET modseq = ?, used_messages = ? WHERE account = ?', count + 1, count, account);
  connection.exec('COMMIT');
  connection.close();
}

export function summaryOf(subject: string): MessageSummary {
  return {
    from: [{ name: 'Alice Example', email: 'alice@example.test' }],
    to: [{ name: null, email: 'bob@example.test' }],
    cc: [],
    subject,
    messageIdHeader: `${newId()}@example.test`,
    inReplyTo: [],
    references: [],
    sentAt: 1_600_000_000_000,
    preview: 'A preview of the text, as long as previews are. '.repeat(4),
    hasAttachment: false,
    unparsable: false,
  };
}
