import type { ParsedMessage } from '../../../libs/mail/mime/parse-message.ts';
import type { MessageRow } from '../../../libs/store/ports/mailboxes.ts';

/** A row as the list shows it (MessageItemSchema). */
export function messageItem(row: MessageRow) {
  return {
    id: row.id,
    threadId: row.threadId,
    blobId: row.blobId,
    mailboxIds: asSet(row.mailboxIds),
    keywords: asSet(row.keywords),
    from: row.from,
    to: row.to,
    subject: row.subject,
    receivedAt: new Date(row.receivedAt).toISOString(),
    sentAt: row.sentAt === null ? null : new Date(row.sentAt).toISOString(),
    size: row.sizeBytes,
    preview: row.preview,
    hasAttachment: row.hasAttachment,
    unparsable: row.unparsable,
  };
}

/** The whole message (MessageSchema): the row with what its bytes say. */
export function wholeMessage(row: MessageRow, parsed: ParsedMessage) {
  return {
    ...messageItem(row),
    unparsable: row.unparsable || parsed.unparsable,
    cc: row.cc,
    bcc: parsed.bcc,
    replyTo: parsed.replyTo,
    messageId: row.messageIdHeader,
    inReplyTo: row.inReplyTo,
    references: row.references,
    headers: parsed.headers,
    text: parsed.text,
    html: parsed.html ?? null,
    attachments: parsed.attachments.map(({ n, name, type, size, cid }) => ({
      n,
      name: name ?? null,
      type,
      size,
      cid: cid ?? null,
    })),
  };
}

/** RFC 9110 §8.8.3: changes with each change of the message's keywords or mailboxes. */
export const etagOf = (row: { modseq: number }): string => `"${row.modseq}"`;

function asSet(names: readonly string[]): Record<string, true> {
  // Not by assignment: a keyword may be called `__proto__`.
  return Object.fromEntries(names.map((name) => [name, true]));
}
