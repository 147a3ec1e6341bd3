import type { ServerReply } from './reply-parser.ts';

/** What the server said it can do (RFC 5321 §4.1.1.1). */
export interface Capabilities {
  /** False after HELO: none of the rest then. */
  esmtp: boolean;
  /** RFC 1870: `SIZE` was announced. */
  sizeDeclared: boolean;
  /** Largest message; undefined: no limit was named. */
  maxSizeBytes: number | undefined;
  pipelining: boolean;
  eightBitMime: boolean;
  smtputf8: boolean;
  dsn: boolean;
  startTls: boolean;
  enhancedStatusCodes: boolean;
  requireTls: boolean;
  /** Mechanisms in upper case. */
  auth: readonly string[];
  /** Recipients that one transaction may have: RCPTMAX (RFC 9422), at most {@link usualMaxRecipients}. Splitting is the caller's. */
  maxRecipients: number;
  /** MAILMAX (RFC 9422): transactions on one connection; undefined: no limit was named. */
  maxTransactions: number | undefined;
}

/** RFC 5321 §4.5.3.1.8: a server must take at least 100. */
const usualMaxRecipients = 100;

/** From the reply to EHLO or LHLO. Keywords that aren't known are passed over; of a keyword that comes twice the last counts. */
export function parseCapabilities(reply: ServerReply): Capabilities {
  const keywords = new Map<string, string[]>();
  for (const line of reply.lines.slice(1)) {
    const [keyword = '', ...params] = line.trim().toUpperCase().split(/ +/);
    // The form AUTH=LOGIN is of drafts before RFC 2554, and still seen.
    if (keyword.startsWith('AUTH=')) keywords.set('AUTH', [keyword.slice('AUTH='.length), ...params]);
    else keywords.set(keyword, params);
  }
  const size = number(keywords.get('SIZE')?.[0]);
  const limits = readLimits(keywords.get('LIMITS') ?? []);
  return {
    esmtp: true,
    sizeDeclared: keywords.has('SIZE'),
    // RFC 1870 §4: 0 is no fixed limit.
    maxSizeBytes: size === 0 ? undefined : size,
    pipelining: keywords.has('PIPELINING'),
    eightBitMime: keywords.has('8BITMIME'),
    smtputf8: keywords.has('SMTPUTF8'),
    dsn: keywords.has('DSN'),
    startTls: keywords.has('STARTTLS'),
    enhancedStatusCodes: keywords.has('ENHANCEDSTATUSCODES'),
    requireTls: keywords.has('REQUIRETLS'),
    auth: keywords.get('AUTH') ?? [],
    maxRecipients: Math.min(limits.get('RCPTMAX') ?? usualMaxRecipients, usualMaxRecipients),
    maxTransactions: limits.get('MAILMAX'),
  };
}

/** Of a server that knows only HELO. */
export const helo: Capabilities = { ...parseCapabilities({ code: 250, text: '', lines: [] }), esmtp: false };

/** RFC 9422 §3: `LIMITS RCPTMAX=20 MAILMAX=5`; a value of 0 or past six digits is none. */
function readLimits(params: readonly string[]): Map<string, number> {
  const limits = new Map<string, number>();
  for (const param of params) {
    const [, name, digits] = /^([A-Z0-9-]+)=([1-9][0-9]{0,5})$/.exec(param) ?? [];
    if (name !== undefined) limits.set(name, Number(digits));
  }
  return limits;
}

/** RFC 1870 §3: at most 20 digits; what JavaScript can't count exactly is no limit for us. */
function number(digits: string | undefined): number | undefined {
  return digits !== undefined && /^[0-9]{1,15}$/.test(digits) ? Number(digits) : undefined;
}
