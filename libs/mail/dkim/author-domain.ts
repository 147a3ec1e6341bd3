import { normaliseDomain } from '../address/domain.ts';
import { parseAddressList } from '../address/header-addresses.ts';
import { decodeHeaderBytes } from '../mime/charset.ts';
import type { RawField } from './header-fields.ts';

/**
 * - `noFrom`, `severalFrom`: not the one From field that a message has (RFC 5322 §3.6); what is shown of such a message is anybody's guess, so nobody should vouch for it.
 * - `severalAuthors`: a From field with addresses of several domains, none of which speaks for the others.
 * - `unreadableFrom`: no address with a domain can be read from it.
 */
export type NoAuthor = 'noFrom' | 'severalFrom' | 'severalAuthors' | 'unreadableFrom';

/** The one domain of the From field, as A-labels: what DMARC aligns with (RFC 7489 §3.1.1). */
export function authorDomain(fields: readonly RawField[]): { domain: string } | { unsigned: NoAuthor } {
  const from = fields.filter(({ key }) => key === 'from');
  const [field] = from;
  if (field === undefined) return { unsigned: 'noFrom' };
  if (from.length > 1) return { unsigned: 'severalFrom' };
  const value = field.text.slice(field.text.indexOf(':') + 1).replaceAll('\r\n', '');
  const addresses = parseAddressList(decodeHeaderBytes(value.trim()));
  const domains = new Set(addresses.map(({ email }) => domainOf(email)));
  const [domain] = domains;
  if (domain === undefined || domains.has(undefined)) return { unsigned: 'unreadableFrom' };
  return domains.size === 1 ? { domain } : { unsigned: 'severalAuthors' };
}

/** Undefined: no address with a host name, such as '' (the null reverse-path) or an address literal. */
export function domainOf(address: string): string | undefined {
  const at = address.lastIndexOf('@');
  return at === -1 ? undefined : normaliseDomain(address.slice(at + 1));
}
