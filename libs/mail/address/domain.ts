import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

/** RFC 5321 §4.5.3.1.2, in octets of the A-label form. */
export const MAX_DOMAIN_OCTETS = 255;
/** RFC 1035 §2.3.4. */
const MAX_LABEL_OCTETS = 63;

/**
 * The form in which a domain is stored and compared: UTS 46 A-labels in lower case.
 * Undefined when the text is not a host name in the sense of RFC 5321 §4.1.2 (no trailing dot, no underscore,
 * no address). Not for address literals: see `normaliseAddressLiteral`.
 */
export function normaliseDomain(text: string): string | undefined {
  if (text.length === 0 || text.length > MAX_DOMAIN_OCTETS) return undefined;
  if (/^[a-z0-9.-]+$/.test(text) && !text.includes('xn--')) return isHostName(text) ? text : undefined;
  // domainToASCII follows the URL standard, which percent-decodes and drops tabs; a mail domain has none of that.
  if (!/^[A-Za-z0-9.\-\u0080-\u{10ffff}]+$/u.test(text) || !text.isWellFormed()) return undefined;
  const ascii = domainToASCII(text);
  return isHostName(ascii) ? ascii : undefined;
}

/**
 * `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3), the address in its canonical spelling.
 * Undefined for anything else, general address literals included: no tag but IPv6 was ever registered.
 */
export function normaliseAddressLiteral(text: string): string | undefined {
  if (text.length > MAX_DOMAIN_OCTETS || !text.startsWith('[') || !text.endsWith(']')) return undefined;
  const inner = text.slice(1, -1);
  if (isIPv4(inner)) return text;
  if (!/^ipv6:[0-9a-f:.]+$/i.test(inner) || !isIPv6(inner.slice(5))) return undefined;
  // The URL parser gives the canonical spelling (RFC 5952).
  return `[IPv6:${new URL(`http://[${inner.slice(5)}]/`).hostname.slice(1, -1)}]`;
}

function isHostName(ascii: string): boolean {
  if (ascii.length === 0 || ascii.length > MAX_DOMAIN_OCTETS) return false;
  const labels = ascii.split('.');
  for (const label of labels) {
    if (label.length > MAX_LABEL_OCTETS || !/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(label)) return false;
  }
  // A last label of digits only would be an IPv4 address, which must be written as a literal.
  return !/^[0-9]+$/.test(labels.at(-1) ?? '');
}
