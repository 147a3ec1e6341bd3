import { z } from 'zod';
import { mailboxRoles } from '../../../libs/store/ports/mailboxes.ts';

/** Shapes of the mailbox API: what is validated and what is documented. Names follow RFC 8621. */
export const AccountPath = z.object({ account: z.string().max(64).meta({ description: 'the account’s id, or `me`' }) });
export const MailboxPath = AccountPath.extend({ id: z.string().max(64) });
export const MessagePath = AccountPath.extend({ id: z.string().max(64) });
export const AttachmentPath = MessagePath.extend({ n: z.coerce.number().int().min(0).max(100_000) });

export const MailboxSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    parentId: z.string().nullable(),
    role: z.enum(mailboxRoles).nullable(),
    totalEmails: z.int(),
    unreadEmails: z.int(),
  })
  .meta({ id: 'Mailbox' });

const mailboxName = z.string().min(1).max(255).meta({ description: '1 to 255 bytes, no control characters' });

export const NewMailbox = z.strictObject({ name: mailboxName, parentId: z.string().nullable().default(null) });
export const MailboxPatch = z.strictObject({
  name: mailboxName.optional(),
  parentId: z.string().nullable().optional(),
});

const AddressSchema = z.object({ name: z.string().nullable(), email: z.string() }).meta({ id: 'EmailAddress' });

const idSet = z.record(z.string(), z.literal(true));

export const MessageItemSchema = z
  .object({
    id: z.string(),
    threadId: z.string(),
    blobId: z.string(),
    mailboxIds: idSet,
    keywords: idSet,
    from: z.array(AddressSchema),
    to: z.array(AddressSchema),
    subject: z.string(),
    receivedAt: z.string(),
    sentAt: z.string().nullable(),
    size: z.int().meta({ description: 'bytes of raw' }),
    preview: z.string(),
    hasAttachment: z.boolean(),
    unparsable: z.boolean().meta({ description: 'couldn’t be parsed, in whole or in part: readable raw' }),
  })
  .meta({ id: 'MessageItem' });

const AttachmentSchema = z
  .object({
    n: z.int(),
    name: z.string().nullable(),
    type: z.string(),
    size: z.int(),
    cid: z.string().nullable(),
  })
  .meta({ id: 'Attachment' });

export const MessageSchema = MessageItemSchema.extend({
  cc: z.array(AddressSchema),
  bcc: z.array(AddressSchema),
  replyTo: z.array(AddressSchema),
  messageId: z.string().nullable(),
  inReplyTo: z.array(z.string()),
  references: z.array(z.string()),
  headers: z.array(z.object({ name: z.string(), value: z.string() })),
  text: z.string(),
  html: z.string().nullable().meta({ description: 'as it came: not cleaned, so whoever shows it must' }),
  attachments: z.array(AttachmentSchema),
}).meta({ id: 'Message' });

/** RFC 9051 §2.3.2 and RFC 8621 §4.1.1: an atom of 1 to 255 characters. */
const keyword = z
  .string()
  .regex(
    /^[\x21\x23\x24\x26\x27\x2b-\x5b\x5e-\x7a\x7c\x7e]{1,255}$/,
    'a keyword of 1 to 255 printable ASCII characters without ( ) { ] % * " \\',
  );

const merge = (key: z.ZodType<string>) => z.record(key, z.union([z.boolean(), z.null()]));

export const MessagePatchSchema = z.strictObject({
  keywords: merge(keyword).optional().meta({ description: 'true adds, null or false removes' }),
  mailboxIds: merge(z.string().max(64)).optional(),
});

const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const instant = z.iso.datetime({ offset: true }).transform((value) => Date.parse(value));
const searchText = z.string().min(1).max(500);

const listPage = {
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(2048).optional(),
};

export const MessageQuery = z.strictObject({
  mailbox: z.string().max(64).optional().meta({ description: 'an id or a role' }),
  text: searchText.optional().meta({ description: 'words that all must be in headers or text; "a phrase" in quotes' }),
  from: searchText.optional(),
  to: searchText.optional(),
  subject: searchText.optional(),
  since: instant.optional().meta({ description: 'received at or after, RFC 3339' }),
  before: instant.optional().meta({ description: 'received before, RFC 3339' }),
  unread: flag.optional(),
  hasAttachment: flag.optional(),
  ...listPage,
});

const recipient = z.strictObject({
  name: z.string().max(500).nullable().optional(),
  email: z.string().min(1).max(320),
});
const recipients = z.array(recipient).max(1000).default([]);

export const NewMessage = z.strictObject({
  from: recipient.optional().meta({ description: 'one of the account’s own addresses; default: its main one' }),
  to: recipients,
  cc: recipients,
  bcc: recipients,
  replyTo: recipient.optional(),
  subject: z.string().max(10_000).default(''),
  text: z.string().optional(),
  html: z.string().optional(),
  attachments: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(255),
        type: z.string().min(3).max(127).default('application/octet-stream'),
        content: z.base64(),
      }),
    )
    .max(100)
    .default([]),
  inReplyTo: z
    .string()
    .max(998)
    .optional()
    .meta({ description: 'Message-ID that this answers, without angle brackets' }),
  sendAt: z.iso.datetime({ offset: true }).optional(),
  draft: z.boolean().default(false),
});

export const SentSchema = z.object({
  id: z.string().meta({ description: 'of the accepted message (its deliveries begin with it), or of the draft' }),
  messageId: z.string().meta({ description: 'the Message-ID header, without angle brackets' }),
});

export const ChangesSchema = z.object({
  created: z.array(z.string()),
  updated: z.array(z.string()),
  destroyed: z.array(z.string()),
  mailboxesChanged: z.boolean(),
  newState: z.string(),
  hasMore: z.boolean(),
});

export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });
