import type { ParsedMessage } from '../mime/parse-message.ts';

/** What is shown of a message that the parser could not finish: it is there raw. */
export function unreadMessage(): ParsedMessage {
  return {
    headers: [],
    subject: '',
    from: [],
    to: [],
    cc: [],
    bcc: [],
    replyTo: [],
    messageId: undefined,
    inReplyTo: [],
    references: [],
    sentAt: undefined,
    text: '',
    html: undefined,
    bodyTruncated: false,
    preview: '',
    attachments: [],
    hasAttachment: false,
    unparsable: true,
  };
}
