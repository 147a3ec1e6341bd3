import { MAX_DOMAIN_OCTETS, normaliseAddressLiteral, normaliseDomain } from './domain.ts';

/** RFC 5321 §4.5.3.1.1, in octets of UTF-8. */
const MAX_LOCAL_PART_OCTETS = 64;
/** RFC 5321 §4.5.3.1.3, without the angle brackets. */
const MAX_PATH_OCTETS = 254;

/**
 * One SMTP mailbox.
 * - `localPart`: as typed, quoted only where the grammar demands it, so `${localPart}@${domain}` is always a valid mailbox.
 * - `domain`: A-labels in lower case, or an address literal such as `[127.0.0.1]`.
 * - `key`: what two addresses are compared by: lower-case NFC local part, '@', `domain`.
 * - `display`: the text as it was typed.
 */
export type Address = {
  readonly localPart: string;
  readonly domain: string;
  readonly key: string;
  readonly display: string;
};

/**
 * Parses a mailbox without angle brackets: RFC 5321 §4.1.2 `Mailbox`, with UTF-8 in both parts as RFC 6531 §3.3 allows.
 * Undefined when it is none. The bare `postmaster` of RFC 5321 §4.1.1.3 has no domain and is the caller's to know.
 */
export function parseAddress(text: string): Address | undefined {
  // Every octet of a quoted local part may carry a backslash.
  if (text.length > MAX_DOMAIN_OCTETS + 2 * MAX_LOCAL_PART_OCTETS + 3) return undefined;
  const local = readLocalPart(text);
  if (local === undefined || text[local.length] !== '@') return undefined;
  const domainText = text.slice(local.length + 1);
  const domain = domainText.startsWith('[') ? normaliseAddressLiteral(domainText) : normaliseDomain(domainText);
  if (domain === undefined) return undefined;
  const localPart = quoteWhenNeeded(local.content);
  const keyLocalPart = localPartKey(local.content);
  if (Math.max(octets(localPart), octets(keyLocalPart)) > maxLocalPartOctets(localPart, domain)) return undefined;
  return { localPart, domain, key: `${keyLocalPart}@${domain}`, display: text };
}

/** Servers that forward mail write the whole address of its sender into a local part of theirs (SRS), and every server takes that. */
function maxLocalPartOctets(localPart: string, domain: string): number {
  return /^"?srs[01][-+=]/i.test(localPart) ? MAX_PATH_OCTETS - 1 - octets(domain) : MAX_LOCAL_PART_OCTETS;
}

/**
 * Splits a local part as it stands in `Address.localPart` at the first '+': `alice+lists` is user `alice`, tag `lists`.
 * A local part that begins with '+' has no user to split off and stays whole. (RFC 5233 §1 leaves the separator to the site.)
 */
export function splitSubaddress(localPart: string): { user: string; tag: string | undefined } {
  const content = localPart.startsWith('"') ? readLocalPart(localPart)?.content : localPart;
  const at = content?.indexOf('+') ?? -1;
  if (content === undefined || at <= 0) return { user: localPart, tag: undefined };
  return { user: quoteWhenNeeded(content.slice(0, at)), tag: content.slice(at + 1) };
}

/** Whether the mailbox can be named to a server without SMTPUTF8 (the domain always can, as A-labels). */
export function isAsciiAddress(address: Address): boolean {
  return isAscii(address.localPart);
}

type LocalPart = { /** characters of the text it takes, quotes included */ length: number; content: string };

function readLocalPart(text: string): LocalPart | undefined {
  const local = text.startsWith('"') ? readQuotedString(text) : readDotString(text);
  if (local === undefined || local.content.length === 0) return undefined;
  return isAscii(local.content) || isAllowedUnicode(local.content) ? local : undefined;
}

function readDotString(text: string): LocalPart | undefined {
  const at = text.indexOf('@');
  const content = at === -1 ? text : text.slice(0, at);
  return isDotString(content) && isDotString(content.normalize('NFC'))
    ? { length: content.length, content }
    : undefined;
}

function readQuotedString(text: string): LocalPart | undefined {
  let content = '';
  for (let i = 1; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '"') return { length: i + 1, content };
    if (char === '\\') i++;
    const taken = text.charAt(i);
    // qtextSMTP and quoted-pairSMTP: printable ASCII and space; RFC 6531 §3.3 adds UTF-8 to qtextSMTP.
    if (taken < ' ' || taken === '\x7f' || (char === '\\' && taken > '~')) return undefined;
    content += taken;
  }
  return undefined;
}

/** NFC first: it can turn a letter-like sign into ASCII (U+212A into K), never back. */
function localPartKey(content: string): string {
  return quoteWhenNeeded(content.normalize('NFC').toLowerCase().normalize('NFC'));
}

function quoteWhenNeeded(content: string): string {
  return isDotString(content) ? content : `"${content.replace(/["\\]/g, '\\$&')}"`;
}

const DOT_STRING = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\u{10ffff}]+$/u;

function isDotString(content: string): boolean {
  return content.split('.').every((atom) => DOT_STRING.test(atom));
}

/** RFC 6532 §3.1 takes any non-ASCII; control characters, separators and lone surrogates only serve to deceive. */
function isAllowedUnicode(content: string): boolean {
  return content.isWellFormed() && !/[\p{Cc}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u.test(content) && !/[^\P{Zs} ]/u.test(content);
}

function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text);
}

function octets(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
