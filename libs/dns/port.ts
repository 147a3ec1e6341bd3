import type { TlsaRecord } from '../smtp/client/dane.ts';

/**
 * Answers of the DNS. Names are absolute, in any case, with or without the last dot; IDNs as U-labels or A-labels; search domains and the hosts file are never
 * applied. Nothing is thrown but the reason of an aborted `signal`: what goes wrong is an answer too.
 */
export interface Dns {
  mx(name: string, options?: LookupOptions): Promise<DnsResult<MxRecord>>;
  /** A and AAAA together, in the order of `families`. Found when one of them is; then trouble with the other is passed over. */
  addresses(name: string, families: readonly AddressFamily[], options?: LookupOptions): Promise<DnsResult<Address>>;
  /** The strings of each record put together; octets as Latin-1. */
  txt(name: string, options?: LookupOptions): Promise<DnsResult<string>>;
  tlsa(name: string, options?: LookupOptions): Promise<DnsResult<TlsaRecord>>;
}

export interface LookupOptions {
  signal?: AbortSignal;
}

export type DnsResult<T> = DnsFound<T> | DnsFailure;

export interface DnsFound<T> {
  kind: 'found';
  /** At least one. */
  records: readonly T[];
  /** How long the answer may be used from now on, ms. */
  ttlMs: number;
  /** A resolver that is trusted to say so has validated it with DNSSEC, CNAMEs included. */
  secure: boolean;
  /** The name that the records are of: where the CNAMEs lead, lower case, no last dot. */
  canonicalName: string;
}

export interface DnsFailure {
  /**
   * - `nxdomain`, `nodata`: known, and permanent: there is no such name, or no such record at it.
   * - `servfail` (CNAME loops and garbled replies too), `refused`, `timeout`: nothing is known; ask later.
   */
  kind: 'nxdomain' | 'nodata' | 'servfail' | 'refused' | 'timeout';
  /** What happened, for a trace: `SERVFAIL from 192.0.2.1:53`. */
  detail: string;
  ttlMs: number;
  /** That there is nothing was validated with DNSSEC; always false where nothing is known. */
  secure: boolean;
}

export interface MxRecord {
  preference: number;
  /** Lower case, no last dot; '' is the root: no mail (RFC 7505). */
  exchange: string;
}

export type AddressFamily = 'ipv4' | 'ipv6';

export interface Address {
  family: AddressFamily;
  /** In canonical spelling. */
  address: string;
}

/** It is known that there is nothing; the other failures are trouble that may pass. */
export function isAbsent(result: { kind: string }): boolean {
  return result.kind === 'nxdomain' || result.kind === 'nodata';
}
