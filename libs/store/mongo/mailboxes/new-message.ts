import { isUnread, normalKeywords } from '../../mailbox-rules.ts';
import type { MailboxRole, MessageSummary } from '../../ports/mailboxes.ts';
import type { AccountWork } from './account-work.ts';
import { flagsOf, type MessageDocument } from './documents.ts';

/** What a delivered and an appended message have in common. */
export interface NewMessage {
  messageId: string;
  kind: MessageDocument['kind'];
  role: MailboxRole;
  keywords: readonly string[];
  receivedAt: number;
  sizeBytes: number;
  summary: MessageSummary;
}

/** Adds the message to the account and to one mailbox. The caller has seen that the account hasn't this copy, nor had it. */
export function addMessage(
  work: AccountWork,
  message: NewMessage,
  ids: { id: string; threadId: string },
): MessageDocument {
  const { messageId, kind, role, receivedAt, sizeBytes, summary } = message;
  const keywords = normalKeywords(message.keywords);
  const unread = isUnread(keywords);
  const mailbox = work.mailboxOfRole(role);
  const modseq = work.nextModseq();
  work.use(sizeBytes, 1);
  return {
    _id: ids.id,
    v: 1,
    accountId: work.accountId,
    messageId,
    kind,
    threadId: ids.threadId,
    mailboxIds: [mailbox.id],
    uids: { [mailbox.id]: work.putIn(mailbox, unread) },
    keywords,
    receivedAt,
    sizeBytes,
    modseq,
    createdModseq: modseq,
    flags: flagsOf(unread, summary.hasAttachment),
    live: true,
    summary: onlySummary(summary),
  };
}

/** Parsers give more than is kept. */
function onlySummary(summary: MessageSummary): MessageSummary {
  const { from, to, cc, subject, messageIdHeader, inReplyTo, references, sentAt, preview, hasAttachment, unparsable } =
    summary;
  return { from, to, cc, subject, messageIdHeader, inReplyTo, references, sentAt, preview, hasAttachment, unparsable };
}
