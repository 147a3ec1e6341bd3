import { readHeaderBlock } from '../mime/header-block.ts';
import { readMessageFields } from '../mime/message-fields.ts';
import { encodeQuotedPrintable, isSevenBitText } from '../mime/seven-bit.ts';
import { deliveryStatus } from './delivery-status.ts';
import { reportText } from './report-text.ts';
import { isAscii, oneLine, rfc5322Date } from './status-text.ts';
import { english } from './templates/english.ts';
import type { Templates } from './templates/template.ts';

/** What happened to one recipient (RFC 3464 §2.3.3); times in ms. */
export type RecipientReport = {
  /** the address of the delivery */
  finalRecipient: string;
  /** ORCPT with xtext decoded, `rfc822;alice@example.test`; without a type it is taken as rfc822 */
  originalRecipient?: string;
  action: 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';
  /** RFC 3463, such as 5.1.1 */
  status: string;
  /** the last SMTP reply, or our own reason in the form of one */
  diagnosticCode?: string;
  /** the host that gave it */
  remoteMta?: string;
  lastAttemptAt?: number;
  /** of a delay: when it is given up */
  willRetryUntil?: number;
};

export type DsnRequest = {
  /** unique for ever; with `reportingMta` the Message-ID, so the same request gives the same bytes */
  reportId: string;
  /** host name of this server */
  reportingMta: string;
  /** address the report is from */
  from: string;
  /** reverse-path of the original message */
  to: string;
  /** ENVID with xtext decoded */
  originalEnvelopeId?: string;
  arrivedAt: number;
  recipients: readonly RecipientReport[];
  /** RFC 3461 §4.3 */
  ret: 'FULL' | 'HDRS';
  /** the original message, or its beginning with the whole header when only that is to be returned */
  original: Uint8Array;
  /** The sender's side speaks SMTPUTF8: use the forms of RFC 6533. Implied by a `to` outside ASCII. */
  smtputf8?: boolean;
  now: number;
  /** In place of the English ones. */
  templates?: Templates;
};

/** A larger message is not returned whole: a report must not weigh on the one who waits for it. */
export const MAX_RETURNED_BYTES = 1024 * 1024;
/** Of a header that is returned alone: it may be a sender's who never wrote it. */
export const MAX_HEADER_BYTES = 64 * 1024;

/**
 * A delivery status notification (RFC 3464, 6522; RFC 6533 with `smtputf8`): for people, for programs, and the original message. CRLF line ends;
 * 7-bit, but for the address fields of a report to a UTF-8 address. It is to be sent with MAIL FROM:<>.
 *
 * The whole original is returned only where RFC 3461 §4.3 wants it (RET=FULL and a failure) and when it fits into MAX_RETURNED_BYTES and is
 * 7-bit, because RFC 2046 §5.2.1 allows no encoding of message/rfc822; else its header is, at most MAX_HEADER_BYTES of it.
 */
export function buildDsn(request: DsnRequest): Buffer {
  const isGlobal = request.smtputf8 === true || !isAscii(request.to);
  const original = Buffer.from(request.original.buffer, request.original.byteOffset, request.original.byteLength);
  const { fields, bodyStart } = readHeaderBlock(original, 0);
  const returned = returnedPart(request, original, bodyStart, isGlobal);
  const boundary = boundaryFor(request.reportId, original);
  const id = readMessageFields(fields).messageId;
  const { subject, text } = reportText(request, request.templates ?? english, returned.whole ? 'message' : 'header');
  const header = [
    `From: Mail Delivery System <${oneLine(request.from, isGlobal)}>`,
    `To: <${oneLine(request.to, isGlobal)}>`,
    `Subject: ${subject}`,
    `Date: ${rfc5322Date(request.now)}`,
    `Message-ID: <${oneLine(request.reportId, false)}@${oneLine(request.reportingMta, false)}>`,
    ...(id !== undefined && /^[!-;=?-~]{1,900}$/.test(id) ? [`In-Reply-To: <${id}>`, `References: <${id}>`] : []),
    'Auto-Submitted: auto-replied', // RFC 3834 §5
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"`,
  ];
  const status = deliveryStatus(request, isGlobal);
  const parts = [
    textPart('text/plain; charset=utf-8', 'Notification', text),
    textPart(isGlobal ? 'message/global-delivery-status' : 'message/delivery-status', 'Delivery report', status),
    returned.part,
  ];
  const delimited = parts.flatMap((part) => [Buffer.from(`\r\n--${boundary}\r\n`), part]);
  const head = Buffer.from(`${header.join('\r\n')}\r\n\r\nThis is a delivery report in MIME format.\r\n`);
  return Buffer.concat([head, ...delimited, Buffer.from(`\r\n--${boundary}--\r\n`)]);
}

/** Not in the original, so that nothing in it can end a part. */
function boundaryFor(reportId: string, original: Buffer): string {
  const base = `=_${reportId.replace(/[^A-Za-z0-9]/g, '_').slice(0, 50)}`;
  for (let n = 0; ; n++) if (!original.includes(`${base}_${n}`)) return `${base}_${n}`;
}

/** A text with its header; quoted-printable only when it must be. */
function textPart(type: string, description: string, text: string): Buffer {
  const isPlain = isSevenBitText(Buffer.from(text));
  const encoding = isPlain ? '7bit' : 'quoted-printable';
  return Buffer.from(
    `Content-Type: ${type}\r\nContent-Description: ${description}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${isPlain ? text : encodeQuotedPrintable(text)}`,
  );
}

type Returned = { part: Buffer; whole: boolean };

function returnedPart(request: DsnRequest, original: Buffer, bodyStart: number, isGlobal: boolean): Returned {
  const wanted = request.ret === 'FULL' && request.recipients.some(({ action }) => action === 'failed');
  if (wanted && original.length <= MAX_RETURNED_BYTES) {
    const isPlain = isSevenBitText(original);
    if (isPlain)
      return { part: withHeader(isGlobal ? 'message/global' : 'message/rfc822', '7bit', original), whole: true };
    // RFC 6532 §3.7: unlike message/rfc822, message/global may be encoded
    if (isGlobal) return { part: withHeader('message/global', 'base64', base64Lines(original)), whole: true };
  }
  const header = headerBytes(original, bodyStart).toString('utf8').trimEnd();
  return {
    part: textPart(
      isGlobal ? 'message/global-headers' : 'text/rfc822-headers',
      'Header of the message',
      `${header}\r\n`,
    ),
    whole: false,
  };
}

/** In whole lines. */
function headerBytes(original: Buffer, bodyStart: number): Buffer {
  if (bodyStart <= MAX_HEADER_BYTES) return original.subarray(0, bodyStart);
  return original.subarray(0, original.lastIndexOf(0x0a, MAX_HEADER_BYTES) + 1);
}

function withHeader(type: string, encoding: string, content: Buffer): Buffer {
  const header = `Content-Type: ${type}\r\nContent-Description: The message\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`;
  return Buffer.concat([Buffer.from(header), content]);
}

function base64Lines(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('base64').replace(/.{76}/g, '$&\r\n'));
}
