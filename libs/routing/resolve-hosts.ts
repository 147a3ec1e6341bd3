import { isIP } from 'node:net';
import { type Address, type Dns, isAbsent, type MxRecord } from '../dns/port.ts';
import { normaliseDomain } from '../mail/address/domain.ts';
import { type AddressOrder, inOrder } from './ip-preference.ts';
import { isPublicAddress } from './public-address.ts';

export interface ResolvedHost extends MxRecord {
  addresses: readonly Address[];
  ttlMs: number;
  secure: boolean;
  /** Where its CNAMEs lead. */
  canonicalName: string;
}

/** Why a host can't be used: it has no address; nothing is known; only addresses that are refused; only addresses of a family that isn't used. */
export interface UnusableHost {
  why: 'absent' | 'trouble' | 'private' | 'family';
  detail: string;
  ttlMs: number;
}

export interface ResolveOptions {
  dns: Dns;
  order: AddressOrder;
  allowPrivate: boolean;
  signal: AbortSignal;
}

/** More are never tried in one go. */
const maxAddresses = 12;

/** The addresses of a host in the order in which they are tried. An MX that leads to a CNAME is against RFC 2181 §10.3, and common: it is followed. */
export async function resolveHost(record: MxRecord, options: ResolveOptions): Promise<ResolvedHost | UnusableHost> {
  const { dns, order, allowPrivate, signal } = options;
  const { exchange } = record;
  if (normaliseDomain(exchange) === undefined)
    return { why: 'absent', detail: `${exchange} is no host name`, ttlMs: longMs };
  const result = await dns.addresses(exchange, order.families, { signal });
  const { ttlMs, secure } = result;
  if (result.kind !== 'found') {
    if (!isAbsent(result)) return { why: 'trouble', detail: `looking for ${exchange}: ${result.detail}`, ttlMs };
    const other = result.kind === 'nodata' ? await otherFamily(exchange, options) : undefined;
    return other ?? { why: 'absent', detail: result.detail, ttlMs };
  }
  const allowed = allowPrivate ? result.records : result.records.filter(({ address }) => isPublicAddress(address));
  if (allowed.length === 0) {
    const shown = result.records[0]?.address ?? '';
    return { why: 'private', detail: `${exchange} is at ${shown}, an address that is not of the internet`, ttlMs };
  }
  const addresses = inOrder(allowed, order).slice(0, maxAddresses);
  return { ...record, addresses, ttlMs, secure, canonicalName: result.canonicalName };
}

/** Where only one family is used, by setting: a host that has just the other one exists, and the mail waits for the setting. */
async function otherFamily(host: string, { dns, order, signal }: ResolveOptions): Promise<UnusableHost | undefined> {
  const unused = (['ipv4', 'ipv6'] as const).filter((family) => !order.families.includes(family));
  if (unused.length === 0) return undefined;
  const result = await dns.addresses(host, unused, { signal });
  if (result.kind !== 'found') return undefined;
  return { why: 'family', detail: `${host} has only addresses of a family that is not used here`, ttlMs: result.ttlMs };
}

/** Addresses that are given as such, or `localhost` (RFC 6761 §6.3): nothing to look up. */
export function fixedAddresses(host: string, order: AddressOrder): Address[] | undefined {
  if (host === 'localhost') return inOrder([address('127.0.0.1'), address('::1')], order);
  return isIP(host) === 0 ? undefined : [address(host)];
}

function address(text: string): Address {
  return { family: isIP(text) === 6 ? 'ipv6' : 'ipv4', address: text };
}

/** Of what doesn't depend on the DNS. */
export const longMs = 3_600_000;
