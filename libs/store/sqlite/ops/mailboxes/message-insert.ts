import { newId } from '../../../../runtime/ids.ts';
import type { Connection } from '../../engine/connection.ts';
import type { AccountWork, WorkedMailbox } from './account-work.ts';
import { joinThread, type ThreadHashes } from './thread-of.ts';

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

/** Adds the message to the account and to one mailbox. The caller has seen that the account hasn't this copy, nor had it. */
export function insertMessage(
  connection: Connection,
  work: AccountWork,
  mailbox: WorkedMailbox,
  message: NewMessage,
  id: string = newId(),
): { id: string; modseq: number } {
  const { receivedAt } = message;
  const threadId = joinThread(connection, work.account, message.thread, { id, receivedAt });
  const modseq = work.nextModseq();
  const unread = Number(message.unread);
  const hasAttachment = Number(message.hasAttachment);
  const { lastId: n } = connection.insert(
    `INSERT INTO messages (account, id, message_id, kind, thread_id, mailboxes, keywords, received_at, size, unread, has_attachment,
       modseq, created_modseq, summary)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13)`,
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
  work.use(message.sizeBytes, 1);
  putIntoMailbox(connection, work, mailbox, { n, id, receivedAt, unread, hasAttachment });
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
