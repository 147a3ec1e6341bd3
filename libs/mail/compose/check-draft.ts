import { type Address, parseAddress } from '../address/mailbox-address.ts';
import { isSevenBitText } from '../mime/seven-bit.ts';
import type { Draft, DraftAddress, DraftAttachment } from './compose.ts';

/** The draft has a field that can't be written into a message. */
export class ComposeError extends Error {
  override readonly name = 'ComposeError';
  /** such as `subject`, `to[1].email`, `attachments[0].name` */
  readonly field: string;

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.field = field;
  }
}

export type CheckedAddress = { name: string | null; address: Address };

/** Everything of a draft that goes into header fields, proven to be writable. */
export type CheckedDraft = {
  from: CheckedAddress;
  to: CheckedAddress[];
  cc: CheckedAddress[];
  bcc: CheckedAddress[];
  replyTo: CheckedAddress[];
  messageId: string | undefined;
  inReplyTo: string | undefined;
  references: string[];
  attachments: DraftAttachment[];
};

/** Throws ComposeError for the first field that must not be written: a line end in it would begin a header field of the sender's choice. */
export function checkDraft(draft: Draft): CheckedDraft {
  checkLine('subject', draft.subject ?? '', MAX_TEXT_LENGTH);
  if (!Number.isFinite(draft.date) || Math.abs(draft.date) > 8.64e15) throw new ComposeError('date', 'is no time');
  if (draft.hostname !== undefined) checkId('hostname', `x@${draft.hostname}`);
  return {
    from: checkAddress('from', draft.from),
    to: checkAddresses('to', draft.to),
    cc: checkAddresses('cc', draft.cc),
    bcc: checkAddresses('bcc', draft.bcc),
    replyTo: checkAddresses('replyTo', draft.replyTo),
    messageId: draft.messageId === undefined ? undefined : checkId('messageId', draft.messageId),
    inReplyTo: draft.inReplyTo === undefined ? undefined : checkId('inReplyTo', draft.inReplyTo),
    references: (draft.references ?? []).map((id, i) => checkId(`references[${i}]`, id)),
    attachments: (draft.attachments ?? []).map((attachment, i) => checkAttachment(`attachments[${i}]`, attachment)),
  };
}

const MAX_TEXT_LENGTH = 10_000;
const MAX_NAME_LENGTH = 500;
const MAX_FILE_NAME_LENGTH = 255;

function checkLine(field: string, text: string, maxLength: number): void {
  if (/[\r\n]/.test(text)) throw new ComposeError(field, 'must not contain a line end');
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text))
    throw new ComposeError(field, 'must not contain control characters');
  if (!text.isWellFormed()) throw new ComposeError(field, 'is not well-formed Unicode');
  if (text.length > maxLength) throw new ComposeError(field, `is longer than ${maxLength} characters`);
}

function checkAddresses(field: string, addresses: readonly DraftAddress[] = []): CheckedAddress[] {
  return addresses.map((address, i) => checkAddress(`${field}[${i}]`, address));
}

function checkAddress(field: string, { name, email }: DraftAddress): CheckedAddress {
  if (name !== null) checkLine(`${field}.name`, name, MAX_NAME_LENGTH);
  checkLine(`${field}.email`, email, MAX_NAME_LENGTH);
  const address = parseAddress(email);
  if (address === undefined) throw new ComposeError(`${field}.email`, 'is no email address');
  return { name, address };
}

/** RFC 5322 §3.6.4 msg-id, in ASCII so that no header needs SMTPUTF8 for it. */
function checkId(field: string, id: string): string {
  const bare = id.replace(/^<|>$/g, '');
  checkLine(field, bare, MAX_NAME_LENGTH);
  if (!/^[!-;=?-~]+$/.test(bare)) throw new ComposeError(field, 'is no message id');
  return bare;
}

const TOKEN = "[A-Za-z0-9!#$&^_.+'-]{1,127}";
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?:; ?${TOKEN}=(?:${TOKEN}|"[^"\\\\]{0,127}")){0,8}$`);

function checkAttachment(field: string, attachment: DraftAttachment): DraftAttachment {
  checkLine(`${field}.name`, attachment.name, MAX_FILE_NAME_LENGTH);
  checkLine(`${field}.type`, attachment.type, MAX_NAME_LENGTH);
  if (!MEDIA_TYPE.test(attachment.type) || /^multipart\//i.test(attachment.type))
    throw new ComposeError(`${field}.type`, 'is no media type of a file');
  const cid = attachment.cid === undefined ? {} : { cid: checkId(`${field}.cid`, attachment.cid) };
  // RFC 2046 §5.2.1 forbids to encode a message, so one that isn't 7-bit goes as plain bytes.
  const isMessage = /^message\//i.test(attachment.type) && !isSevenBitText(attachment.content);
  return { ...attachment, ...cid, type: isMessage ? 'application/octet-stream' : attachment.type };
}
