import { type DkimAlgorithm, keyTypes } from './algorithm.ts';
import { tagsOf } from './earlier-signature.ts';

/** A key as the DNS has it, in the forms that people paste. */
export interface DkimRecord {
  /** Absolute, without a dot at its end. */
  name: string;
  type: 'TXT';
  /** In one piece. */
  value: string;
  /** The value as the strings of one TXT record: each has at most 255 octets (RFC 1035 §3.3). */
  strings: readonly string[];
  /** A line of a zone file (BIND). */
  zoneLine: string;
}

export interface PublishedKey {
  domain: string;
  selector: string;
  algorithm: DkimAlgorithm;
  /** Base64. */
  publicKey: string;
}

/** RFC 6376 §3.6.1. */
export function dkimRecord({ domain, selector, algorithm, publicKey }: PublishedKey): DkimRecord {
  const name = `${selector}._domainkey.${domain}`;
  const value = `v=DKIM1; k=${keyTypes[algorithm]}; p=${publicKey}`;
  const strings = value.match(/.{1,255}/g) ?? [];
  const quoted = strings.map((string) => `"${string}"`).join(' ');
  return { name, type: 'TXT', value, strings, zoneLine: `${name}. IN TXT ( ${quoted} )` };
}

/**
 * - `different`: there is a record, with another key or one that is revoked or can't be read;
 * - `several`: more than one DKIM record, of which a verifier may take any (RFC 6376 §3.6.2.2).
 */
export type RecordFit = 'matches' | 'different' | 'several';

/** Holds the TXT records found at the key's name against the key. */
export function fitOfRecords({ algorithm, publicKey }: PublishedKey, found: readonly string[]): RecordFit {
  const [record, ...more] = found;
  if (record === undefined || more.length > 0) return record === undefined ? 'different' : 'several';
  const tags = tagsOf(record);
  const isSame =
    (tags.get('v') ?? 'DKIM1') === 'DKIM1' &&
    (tags.get('k') ?? 'rsa') === keyTypes[algorithm] &&
    (tags.get('h') ?? 'sha256').split(':').includes('sha256') &&
    ['*', 'email'].some((service) => (tags.get('s') ?? '*').split(':').includes(service)) &&
    tags.get('p') === publicKey;
  return isSame ? 'matches' : 'different';
}
