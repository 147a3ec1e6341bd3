import type { Dns, MxRecord } from '../dns/port.ts';
import { permanent, temporary, type Unroutable } from './result.ts';

/** The hosts of a domain by name, best first. */
export interface MailHosts {
  kind: 'hosts';
  via: 'mx' | 'address';
  hosts: readonly MxRecord[];
  ttlMs: number;
  /** That these are the hosts was validated with DNSSEC. */
  secure: boolean;
}

export interface MailHostOptions {
  dns: Dns;
  ownNames: readonly string[];
  /** 0 ≤ n < 1. */
  random: () => number;
  signal: AbortSignal;
}

/** More of them are of no use to anyone, and each costs look-ups. */
const maxHosts = 20;

/** RFC 5321 §5.1: MX records by preference, equal ones shuffled; without any the domain itself. RFC 7505: the null MX. */
export async function findMailHosts(domain: string, options: MailHostOptions): Promise<MailHosts | Unroutable> {
  const { dns, ownNames, random, signal } = options;
  const mx = await dns.mx(domain, { signal });
  const { ttlMs, secure } = mx;
  if (mx.kind === 'nxdomain') return permanent('5.1.2', `the domain ${domain} does not exist`, ttlMs);
  if (mx.kind === 'nodata') {
    if (ownNames.includes(domain)) return loop(domain, ttlMs);
    return { kind: 'hosts', via: 'address', hosts: [{ preference: 0, exchange: domain }], ttlMs, secure };
  }
  if (mx.kind !== 'found') return temporary('4.4.3', `looking for the mail hosts of ${domain}: ${mx.detail}`, ttlMs);
  const named = mx.records.filter(({ exchange }) => exchange !== '');
  if (named.length === 0) return permanent('5.1.10', `${domain} takes no mail (null MX)`, ttlMs, 556);
  // Hosts of equal preference to ours, or worse, would only send it back.
  const own = Math.min(
    ...named.filter(({ exchange }) => ownNames.includes(exchange)).map(({ preference }) => preference),
  );
  const better = named.filter(({ preference }) => preference < own);
  if (better.length === 0) return loop(domain, ttlMs);
  const hosts = shuffledByPreference(distinct(better), random).slice(0, maxHosts);
  return { kind: 'hosts', via: 'mx', hosts, ttlMs, secure };
}

export function loop(domain: string, ttlMs: number): Unroutable {
  return permanent('5.4.6', `mail for ${domain} loops back to this server, which does not know the domain`, ttlMs, 554);
}

function distinct(records: readonly MxRecord[]): MxRecord[] {
  const best = new Map<string, MxRecord>();
  for (const record of records) {
    const known = best.get(record.exchange);
    if (known === undefined || record.preference < known.preference) best.set(record.exchange, record);
  }
  return [...best.values()];
}

function shuffledByPreference(records: readonly MxRecord[], random: () => number): MxRecord[] {
  const keyed = records.map((record) => ({ record, key: random() }));
  keyed.sort((a, b) => a.record.preference - b.record.preference || a.key - b.key);
  return keyed.map(({ record }) => record);
}
