import { type Dns, isAbsent } from '../dns/port.ts';
import type { TlsaRecord } from '../smtp/client/dane.ts';
import type { ResolvedHost, UnusableHost } from './resolve-hosts.ts';

export interface DaneRecords {
  records: readonly TlsaRecord[];
  /** The name that the records are of (RFC 7672 §2.2.3). */
  base: string;
  /** At least one can be used (RFC 7672 §3.1): else TLS is asked for, of whomever. */
  usable: boolean;
  ttlMs: number;
}

/**
 * The TLSA records of a host whose MX and address answers are secure; undefined where DANE doesn't apply. When the look-up fails, the host can't be used
 * (RFC 7672 §2.1.2): whoever makes it fail could else strip the protection.
 */
export async function findTlsa(
  host: ResolvedHost,
  options: { dns: Dns; port: number; signal: AbortSignal },
): Promise<DaneRecords | UnusableHost | undefined> {
  const { dns, port, signal } = options;
  // RFC 7672 §2.2.2: where the host's name is an alias, the name that it leads to comes first.
  for (const base of new Set([host.canonicalName, host.exchange])) {
    const result = await dns.tlsa(`_${port}._tcp.${base}`, { signal });
    if (result.kind === 'found') {
      if (!result.secure) continue;
      const { records, ttlMs } = result;
      return { records, base, usable: records.some(isUsable), ttlMs };
    }
    if (!isAbsent(result))
      return {
        why: 'trouble',
        detail: `looking for the TLSA records of ${base}: ${result.detail}`,
        ttlMs: result.ttlMs,
      };
  }
  return undefined;
}

function isUsable({ usage, selector, matchingType, data }: TlsaRecord): boolean {
  return (usage === 2 || usage === 3) && selector <= 1 && matchingType <= 2 && data.length > 0;
}
