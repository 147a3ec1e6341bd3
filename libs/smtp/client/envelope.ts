import type { Notify } from '../../delivery/row.ts';
import { isAsciiAddress, parseAddress } from '../../mail/address/mailbox-address.ts';
import type { Capabilities } from './capabilities.ts';
import { type RecipientOutcome, saidByUs } from './outcome.ts';
import type { SessionTls } from './tls.ts';

export interface OutgoingRecipient {
  /** Without angle brackets. */
  address: string;
  notify?: Notify;
  /** ORCPT (RFC 3461 §4.2) with its xtext decoded: `rfc822;alice@example.test`. */
  orcpt?: string;
}

/** One message for one transaction. */
export interface OutgoingMessage {
  /** Reverse-path without angle brackets; '' is the null sender. */
  mailFrom: string;
  /** At most `capabilities.maxRecipients`: what is more is the caller's to split off. */
  recipients: readonly OutgoingRecipient[];
  /** ENVID (RFC 3461 §4.4) with its xtext decoded. */
  envid?: string;
  ret?: 'FULL' | 'HDRS';
  /** Exactly the octets that `body` gives. */
  sizeBytes: number;
  /** The message: lines that end in CRLF, no CR or LF elsewhere. Called once at most. */
  body: () => AsyncIterable<Buffer> | Buffer;
  /** The body has octets over 127 or NULs, or lines of more than 998 octets: see `contentTraits` of libs/mail/convert. */
  eightBit: boolean;
  /** The header section has octets over 127 (RFC 6532). Addresses are looked at here. */
  smtputf8: boolean;
  /** RFC 8689. */
  requireTls?: boolean;
}

/** The commands of a transaction, without CRLF; recipients that can't be asked for have their outcome already. */
export interface Envelope {
  mail: string;
  recipients: { index: number; line: string }[];
  settled: { index: number; said: Omit<RecipientOutcome, 'address' | 'host'> }[];
}

/** What is said to a server that can do so much. */
export function makeEnvelope(message: OutgoingMessage, capabilities: Capabilities, tls: SessionTls): Envelope {
  const refusal = refusalOfAll(message, capabilities, tls);
  const envelope: Envelope = { mail: '', recipients: [], settled: [] };
  let utf8 = message.smtputf8 || isUtf8(message.mailFrom);
  for (const [index, recipient] of message.recipients.entries()) {
    const address = parseAddress(recipient.address);
    const said = refusal ?? refusalOf(address, capabilities);
    if (said || !address) {
      envelope.settled.push({ index, said: said ?? badAddress });
      continue;
    }
    utf8 ||= !isAsciiAddress(address);
    const line = `RCPT TO:<${address.localPart}@${address.domain}>${recipientParameters(recipient, capabilities)}`;
    envelope.recipients.push({ index, line });
  }
  envelope.mail = `MAIL FROM:<${wirePath(message.mailFrom)}>${mailParameters(message, capabilities, utf8)}`;
  return envelope;
}

type Said = Envelope['settled'][number]['said'];

const badAddress = saidByUs('permanent', 'rcpt', '5.1.3', 'not an address');
const needsUtf8 = 'the server does not take SMTPUTF8';

function refusalOfAll(message: OutgoingMessage, capabilities: Capabilities, tls: SessionTls): Said | undefined {
  if (message.mailFrom !== '' && !parseAddress(message.mailFrom))
    return saidByUs('permanent', 'mail', '5.1.7', 'the sender is not an address');
  // RFC 6531 §3.2: such a message is not for a server that doesn't say SMTPUTF8.
  if (!capabilities.smtputf8 && (message.smtputf8 || isUtf8(message.mailFrom)))
    return saidByUs('permanent', 'mail', '5.6.7', needsUtf8);
  const { maxSizeBytes } = capabilities;
  // RFC 1870 §6.1
  if (maxSizeBytes !== undefined && message.sizeBytes > maxSizeBytes)
    return saidByUs('permanent', 'mail', '5.3.4', `${message.sizeBytes} octets; the server takes ${maxSizeBytes}`);
  // RFC 8689 §4.2.1
  if (message.requireTls && !(capabilities.requireTls && tls.encrypted && tls.authorized))
    return saidByUs('permanent', 'mail', '5.7.30', 'REQUIRETLS is not possible with this server');
  return undefined;
}

function refusalOf(address: ReturnType<typeof parseAddress>, capabilities: Capabilities): Said | undefined {
  if (!address) return badAddress;
  if (isAsciiAddress(address) || capabilities.smtputf8) return undefined;
  return saidByUs('permanent', 'rcpt', '5.6.7', needsUtf8);
}

function isUtf8(path: string): boolean {
  const address = parseAddress(path);
  return address !== undefined && !isAsciiAddress(address);
}

/** Domains go as A-labels, which every server reads. */
function wirePath(path: string): string {
  const address = parseAddress(path);
  return address ? `${address.localPart}@${address.domain}` : '';
}

function mailParameters(message: OutgoingMessage, capabilities: Capabilities, utf8: boolean): string {
  let parameters = '';
  if (capabilities.sizeDeclared) parameters += ` SIZE=${message.sizeBytes}`;
  if (message.eightBit && capabilities.eightBitMime) parameters += ' BODY=8BITMIME';
  if (utf8) parameters += ' SMTPUTF8';
  if (message.requireTls) parameters += ' REQUIRETLS';
  if (!capabilities.dsn) return parameters;
  if (message.ret) parameters += ` RET=${message.ret}`;
  if (message.envid !== undefined) parameters += ` ENVID=${xtext(message.envid)}`;
  return parameters;
}

function recipientParameters({ notify, orcpt }: OutgoingRecipient, capabilities: Capabilities): string {
  if (!capabilities.dsn) return '';
  const wishes = notify === undefined || notify === 'NEVER' ? notify : notify.join(',');
  const original = orcpt === undefined ? undefined : originalRecipient(orcpt);
  return `${wishes ? ` NOTIFY=${wishes}` : ''}${original === undefined ? '' : ` ORCPT=${original}`}`;
}

/** RFC 3461 §4.2; undefined for what has no type or is too long. */
function originalRecipient(orcpt: string): string | undefined {
  const [, type, address] = /^([A-Za-z0-9-]{1,40});(.+)$/s.exec(orcpt) ?? [];
  if (type === undefined || address === undefined) return undefined;
  // RFC 6533 §3: with this form in ASCII the address passes through servers with and without SMTPUTF8.
  const encoded = isAscii(address) ? `${type};${xtext(address)}` : `utf-8;${unicodeXtext(address)}`;
  return encoded.length > 500 ? undefined : encoded;
}

/** RFC 3461 §4 */
function xtext(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte) =>
      byte >= 0x21 && byte <= 0x7e && byte !== 0x2b && byte !== 0x3d
        ? String.fromCharCode(byte)
        : `+${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

/** RFC 6533 §3, utf-8-addr-xtext */
function unicodeXtext(text: string): string {
  return text.replace(/[^!-*,-<>-[\]-~]/gu, (char) => {
    const hex = (char.codePointAt(0) ?? 0).toString(16).toUpperCase();
    return `\\x{${hex.padStart(2, '0')}}`;
  });
}

function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text);
}
