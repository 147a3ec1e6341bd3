import type { TlsPolicy } from '../smtp/client/tls.ts';
import type { DaneRecords } from './dane.ts';
import type { RouteHost } from './result.ts';

export interface HostTlsFacts {
  domain: string;
  host: string;
  /** MX and address answers were validated. */
  secure: boolean;
  dane: DaneRecords | undefined;
  /** Undefined: no policy. In `enforce` the host is one that the policy names. */
  mtaSts: 'enforce' | 'testing' | undefined;
  /** The message asks for REQUIRETLS (RFC 8689). */
  requireTls: boolean;
}

/**
 * The TLS policy for a mail host; undefined when the message can't be sent there. DANE goes before MTA-STS, which must not overrule it (RFC 8461 §2); where
 * there are neither, TLS is taken where it is offered.
 */
export function hostTls(facts: HostTlsFacts): { tls: TlsPolicy; tlsFrom: RouteHost['tlsFrom'] } | undefined {
  const { domain, host, dane, mtaSts } = facts;
  const byName: TlsPolicy['verify'] = { kind: 'name', names: [host] };
  if (dane?.usable === true) {
    // RFC 7672 §3.2.2: usage 2 takes the TLSA base domain and, as the MX answer is secure, the domain itself.
    const names = [...new Set([dane.base, host, domain])];
    return { tls: { mode: 'required', verify: { kind: 'dane', records: dane.records, names } }, tlsFrom: 'dane' };
  }
  if (mtaSts === 'enforce') return { tls: { mode: 'required', verify: byName }, tlsFrom: 'mta-sts' };
  if (facts.requireTls) {
    // RFC 8689 §4.2.1: that this is the host must be known by DNSSEC or by MTA-STS, and its certificate must be valid.
    if (!facts.secure) return undefined;
    return { tls: { mode: 'required', verify: byName }, tlsFrom: 'requiretls' };
  }
  if (dane !== undefined) return { tls: { mode: 'required', verify: { kind: 'none' } }, tlsFrom: 'dane' };
  // RFC 8461 §5: what fails is noted for reports, and delivered all the same.
  if (mtaSts === 'testing') return { tls: { mode: 'opportunistic', verify: byName }, tlsFrom: 'mta-sts' };
  return { tls: { mode: 'opportunistic', verify: { kind: 'none' } }, tlsFrom: 'default' };
}
