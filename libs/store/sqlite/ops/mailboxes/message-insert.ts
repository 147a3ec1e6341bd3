import { newId } from '../../../../runtime/ids.ts';
import type { Connection } from '../../engine/connection.ts';
import type { AccountWork, WorkedMailbox } from './account-work.ts';
import { rememberThread, type ThreadHashes, threadOf } from './thread-of.ts';

/** What a new message brings, prepared on the main thread so that the writer only binds it. */
export interface NewMessage {
  messageId: string;
  kind: 'inbox' | 'sent' | 'append';
  /** JSON list, normalised. */
  keywords: string;
  unread: boolean;
  hasAttachment: boolean;
  receivedAt: number;
  sizeBytes: number;
  /** JSON of MessageSummary without its opening brace. */
  summary: string;
  thread: ThreadHashes;
}

/** Adds the message to the account and to one mailbox; undefined when the account has this copy already (an expunged one too). */
export function insertMessage(
  connection: Connection,
  work: AccountWork,
  mailbox: WorkedMailbox,
  message: NewMessage,
  id: string = newId(),
): { id: string; modseq: number } | undefined {
  const { receivedAt } = message;
  const threadId = threadOf(connection, work.account, message.thread, { id, receivedAt });
  const modseq = work.modseq + 1;
  const unread = Number(message.unread);
  const hasAttachment = Number(message.hasAttachment);
  const { changes, lastId: n } = connection.insert(
    `INSERT INTO messages (account, id, message_id, kind, thread_id, mailboxes, keywords, received_at, size, unread, has_attachment,
       modseq, created_modseq, summary)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13)
     ON CONFLICT (message_id, account, kind) DO NOTHING`,
    work.account,
    id,
    message.messageId,
    message.kind,
    threadId,
    `["${mailbox.id}"]`,
    message.keywords,
    receivedAt,
    message.sizeBytes,
    unread,
    hasAttachment,
    modseq,
    message.summary,
  );
  if (changes === 0) return undefined;
  work.nextModseq();
  work.use(message.sizeBytes, 1);
  putIntoMailbox(connection, work, mailbox, { n, id, receivedAt, unread, hasAttachment });
  rememberThread(connection, work.account, message.thread, { threadId, receivedAt });
  connection.run('INSERT INTO search_pending (n) VALUES (?)', n);
  return { id, modseq };
}

export interface Member {
  n: number;
  id: string;
  receivedAt: number;
  unread: number;
  hasAttachment: number;
}

/** Gives the message the mailbox's next UID. */
export function putIntoMailbox(
  connection: Connection,
  work: AccountWork,
  mailbox: WorkedMailbox,
  member: Member,
): void {
  connection.run(
    'INSERT INTO mailbox_messages (mailbox, received_at, id, n, uid, unread, has_attachment) VALUES (?, ?, ?, ?, ?, ?, ?)',
    mailbox.mailbox,
    member.receivedAt,
    member.id,
    member.n,
    mailbox.uid_next,
    member.unread,
    member.hasAttachment,
  );
  mailbox.uid_next += 1;
  work.count(mailbox, 1, member.unread);
}

export function takeOutOfMailbox(
  connection: Connection,
  work: AccountWork,
  mailbox: WorkedMailbox,
  member: Member,
): void {
  connection.run(
    'DELETE FROM mailbox_messages WHERE mailbox = ? AND received_at = ? AND id = ?',
    mailbox.mailbox,
    member.receivedAt,
    member.id,
  );
  work.count(mailbox, -1, -member.unread);
}
