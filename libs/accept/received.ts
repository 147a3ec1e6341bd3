import { normaliseAddressLiteral, normaliseDomain } from '../mail/address/domain.ts';

/** How a message came to us, for its Received line. */
export interface Hop {
  protocol: 'SMTP' | 'ESMTP' | 'LMTP' | 'HTTP';
  /** What the client called itself in HELO, EHLO or LHLO; anything. */
  helo?: string;
  remoteAddress?: string;
  /** Our own name. */
  hostname: string;
  messageId: string;
  /** Protocol and cipher, when TLS was used. */
  tls?: string;
  authenticated: boolean;
  smtputf8: boolean;
  /** The recipient, only when there is a single one: the others are nobody's business (RFC 5321 §7.6). */
  recipient?: string;
  atMs: number;
}

/** The Received line of RFC 5321 §4.4, folded, each line ended by CRLF. */
export function receivedLine(hop: Hop): string {
  const address = hop.remoteAddress === undefined ? undefined : addressLiteral(hop.remoteAddress);
  const from = address === undefined ? '' : `from ${clientName(hop, address)} (${address})\r\n\t`;
  const tls = hop.tls === undefined ? '' : `\r\n\t(using ${hop.tls})`;
  const recipient = hop.recipient === undefined ? '' : `\r\n\tfor <${hop.recipient}>`;
  return `Received: ${from}by ${hop.hostname} with ${withProtocol(hop)}${tls}\r\n\tid ${hop.messageId}${recipient}; ${dateTime(hop.atMs)}\r\n`;
}

/** RFC 3848 and RFC 6531 §4.3: TLS adds S, AUTH adds A, SMTPUTF8 changes the name. */
export function withProtocol({
  protocol,
  tls,
  authenticated,
  smtputf8,
}: Pick<Hop, 'protocol' | 'tls' | 'authenticated' | 'smtputf8'>): string {
  // No mail transmission type is registered for HTTP, and RFC 5321 §4.4 allows others. HELO has no TLS to add: STARTTLS is of ESMTP.
  if (protocol === 'HTTP' || protocol === 'SMTP') return protocol;
  const base = smtputf8 ? `UTF8${protocol === 'ESMTP' ? 'SMTP' : 'LMTP'}` : protocol;
  return `${base}${tls === undefined ? '' : 'S'}${authenticated ? 'A' : ''}`;
}

/** RFC 5322 §3.3, in UTC. */
export function dateTime(atMs: number): string {
  // toUTCString is `Tue, 01 Jan 2030 00:00:00 GMT`; the obsolete zone name has a number in RFC 5322.
  return new Date(atMs).toUTCString().replace('GMT', '+0000');
}

/** RFC 5321 §4.1.3. */
function addressLiteral(remoteAddress: string): string {
  return remoteAddress.includes(':') ? `[IPv6:${remoteAddress}]` : `[${remoteAddress}]`;
}

/** The name that the client gave, when it is one; else its address, so that nothing but names and literals ever stands here. */
function clientName(hop: Hop, address: string): string {
  const helo = hop.helo ?? '';
  return normaliseDomain(helo) ?? normaliseAddressLiteral(helo) ?? address;
}
