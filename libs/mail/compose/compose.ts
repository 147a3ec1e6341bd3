import MailComposer, { type Options as ComposerOptions } from 'nodemailer/lib/mail-composer';
import { v7 } from 'uuid';
import { type Address, isAsciiAddress } from '../address/mailbox-address.ts';
import { encodeAsWords } from './encode-words.ts';
import { checkDraft, type CheckedDraft } from './check-draft.ts';

/** A person or an address in a draft. */
export type DraftAddress = { name: string | null; email: string };

/** `type` is a media type, with parameters if any; `cid` (without angle brackets) shows the file inside the HTML. */
export type DraftAttachment = { name: string; type: string; content: Buffer; cid?: string };

/** Ids come with or without angle brackets; `date` in ms. */
export type Draft = {
  from: DraftAddress;
  to?: readonly DraftAddress[];
  cc?: readonly DraftAddress[];
  bcc?: readonly DraftAddress[];
  replyTo?: readonly DraftAddress[];
  subject?: string;
  text?: string;
  html?: string;
  attachments?: readonly DraftAttachment[];
  inReplyTo?: string;
  references?: readonly string[];
  date: number;
  /** Made from a UUIDv7 and `hostname` when missing; one of the two is needed. */
  messageId?: string;
  hostname?: string;
  /** Write the Bcc field: only for a copy that no recipient gets, such as a draft or the one in Sent. Default false. */
  keepBcc?: boolean;
};

export type Composed = {
  /** CRLF line ends, none over 998 octets, 7-bit unless `smtputf8` */
  raw: Buffer;
  /** without angle brackets */
  messageId: string;
  /** to, cc and bcc, each mailbox once, as they were typed */
  envelopeRecipients: string[];
  /** A local part in the header is not ASCII: the message can only go where SMTPUTF8 is spoken (RFC 6531). */
  smtputf8: boolean;
};

/**
 * Writes a draft as a message (RFC 5322, MIME with encoded words and RFC 2231 file names). Nothing is read from files or the network.
 * Throws ComposeError naming the field that can't be written: line ends and other control characters where a header goes, an address that
 * is none, a media type that is none.
 */
export async function compose(draft: Draft): Promise<Composed> {
  const checked = checkDraft(draft);
  const messageId = checked.messageId ?? `${v7()}@${draft.hostname ?? 'localhost'}`;
  const node = new MailComposer({ ...composerOptions(draft, checked), messageId: `<${messageId}>` }).compile();
  node.keepBcc = draft.keepBcc ?? false;
  const recipients = [...checked.to, ...checked.cc, ...checked.bcc].map(({ address }) => address);
  const written = [
    checked.from,
    ...checked.to,
    ...checked.cc,
    ...checked.replyTo,
    ...(draft.keepBcc ? checked.bcc : []),
  ];
  return {
    raw: await node.build(),
    messageId,
    envelopeRecipients: uniqueMailboxes(recipients),
    smtputf8: !written.every(({ address }) => isAsciiAddress(address)),
  };
}

function composerOptions(draft: Draft, checked: CheckedDraft): ComposerOptions {
  const addresses = (list: CheckedDraft['to']) =>
    list.map(({ name, address }) => ({ name: name ?? '', address: `${address.localPart}@${address.domain}` }));
  const subject = draft.subject ?? '';
  return {
    from: addresses([checked.from]),
    to: addresses(checked.to),
    cc: addresses(checked.cc),
    bcc: addresses(checked.bcc),
    replyTo: addresses(checked.replyTo),
    ...(canStandAsIs(subject)
      ? { subject }
      : { headers: { subject: { prepared: true, value: encodeAsWords(subject) } } }),
    ...(draft.text || draft.html === undefined ? { text: wellFormed(draft.text ?? '') } : {}),
    ...(draft.html === undefined ? {} : { html: wellFormed(draft.html) }),
    attachments: checked.attachments.map(({ name, type, content, cid }) => ({
      filename: name === '' ? false : name,
      contentType: type,
      content,
      ...(cid === undefined ? {} : { cid, contentDisposition: 'inline' }),
    })),
    ...(checked.inReplyTo === undefined ? {} : { inReplyTo: `<${checked.inReplyTo}>` }),
    references: checked.references.map((id) => `<${id}>`),
    date: new Date(draft.date),
    newline: 'win',
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/**
 * RFC 5322 §2.1.1: folding happens at white space, a longer run would break the line limit. And what only looks like an encoded word
 * would be decoded by the reader.
 */
function canStandAsIs(subject: string): boolean {
  return !/\S{500}/.test(subject) && !subject.includes('=?');
}

/** Half a surrogate pair can't be written in UTF-8; line ends are what MIME says. */
function wellFormed(text: string): string {
  return text.toWellFormed().replace(/\r\n?|\n/g, '\r\n');
}

function uniqueMailboxes(addresses: readonly Address[]): string[] {
  return [...new Map(addresses.map((address) => [address.key, address.display])).values()];
}
