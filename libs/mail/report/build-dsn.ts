import { readHeaderBlock } from '../mime/header-block.ts';
import { readMessageFields } from '../mime/message-fields.ts';
import { encodeQuotedPrintable, isSevenBitText } from '../mime/seven-bit.ts';
import { deliveryStatus } from './delivery-status.ts';
import { isAscii, oneLine, rfc5322Date } from './status-text.ts';

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
};

/** A larger message is not returned whole: a report must not weigh on the one who waits for it. */
export const MAX_RETURNED_BYTES = 1024 * 1024;

/**
 * A delivery status notification (RFC 3464, 6522; RFC 6533 with `smtputf8`): for people, for programs, and the original message. CRLF line ends;
 * 7-bit, but for the address fields of a report to a UTF-8 address. It is to be sent with MAIL FROM:<>.
 *
 * The whole original is returned only where RFC 3461 §4.3 wants it (RET=FULL and a failure) and when it fits into MAX_RETURNED_BYTES and is
 * 7-bit, because RFC 2046 §5.2.1 allows no encoding of message/rfc822; else its header is.
 */
export function buildDsn(request: DsnRequest): Buffer {
  const isGlobal = request.smtputf8 === true || !isAscii(request.to);
  const original = Buffer.from(request.original.buffer, request.original.byteOffset, request.original.byteLength);
  const { fields, bodyStart } = readHeaderBlock(original, 0);
  const returned = returnedPart(request, original, bodyStart, isGlobal);
  const boundary = boundaryFor(request.reportId, original);
  const id = readMessageFields(fields).messageId;
  const header = [
    `From: Mail Delivery System <${oneLine(request.from, isGlobal)}>`,
    `To: <${oneLine(request.to, isGlobal)}>`,
    `Subject: ${subjectOf(request.recipients)}`,
    `Date: ${rfc5322Date(request.now)}`,
    `Message-ID: <${oneLine(request.reportId, false)}@${oneLine(request.reportingMta, false)}>`,
    ...(id !== undefined && /^[!-;=?-~]{1,900}$/.test(id) ? [`In-Reply-To: <${id}>`, `References: <${id}>`] : []),
    'Auto-Submitted: auto-replied', // RFC 3834 §5
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"`,
  ];
  const status = deliveryStatus(request, isGlobal);
  const parts = [
    textPart('text/plain; charset=utf-8', 'Notification', explanation(request, returned.whole)),
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

function subjectOf(recipients: readonly RecipientReport[]): string {
  const actions = new Set(recipients.map(({ action }) => action));
  if (actions.has('failed')) return 'Your message could not be delivered';
  return actions.has('delayed') ? 'Your message is delayed' : 'Your message was delivered';
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
  const header = original.toString('utf8', 0, bodyStart).trimEnd();
  return {
    part: textPart(
      isGlobal ? 'message/global-headers' : 'text/rfc822-headers',
      'Header of the message',
      `${header}\r\n`,
    ),
    whole: false,
  };
}

function withHeader(type: string, encoding: string, content: Buffer): Buffer {
  const header = `Content-Type: ${type}\r\nContent-Description: The message\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`;
  return Buffer.concat([Buffer.from(header), content]);
}

function base64Lines(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('base64').replace(/.{76}/g, '$&\r\n'));
}

const HEADLINES: Record<RecipientReport['action'], string> = {
  failed: 'It could not be delivered to:',
  delayed: 'It could not be delivered yet, and will be tried again, to:',
  delivered: 'It was delivered to:',
  relayed: 'It was passed on to a server that sends no reports, for:',
  expanded: 'It was delivered to the members of:',
};

function explanation(request: DsnRequest, whole: boolean): string {
  const lines = [
    `This is the mail system at ${oneLine(request.reportingMta, false)}, about your message of`,
    `${rfc5322Date(request.arrivedAt)}.`,
    '',
  ];
  for (const action of ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const) {
    const concerned = request.recipients.filter((recipient) => recipient.action === action);
    if (concerned.length === 0) continue;
    lines.push(HEADLINES[action], '');
    for (const recipient of concerned) lines.push(...explainRecipient(recipient));
  }
  lines.push(whole ? 'Your message is attached.' : 'The header of your message is attached.', '');
  return lines.join('\r\n');
}

function explainRecipient(recipient: RecipientReport): string[] {
  const lines = [`  ${oneLine(recipient.finalRecipient, true)}`];
  if (recipient.diagnosticCode !== undefined) {
    const by = recipient.remoteMta === undefined ? '' : `${oneLine(recipient.remoteMta, false)} said: `;
    lines.push(`    ${by}${oneLine(recipient.diagnosticCode, true)}`);
  }
  if (recipient.willRetryUntil !== undefined)
    lines.push(`    It will be tried until ${rfc5322Date(recipient.willRetryUntil)}; you need not send it again.`);
  return [...lines, ''];
}
