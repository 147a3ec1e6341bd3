import { createHash, timingSafeEqual, type X509Certificate } from 'node:crypto';

/** A TLSA record (RFC 6698 §2.1). */
export interface TlsaRecord {
  usage: number;
  selector: number;
  matchingType: number;
  data: Buffer;
}

export type DaneResult = 'matched' | 'mismatched' | 'noUsableRecord';

/**
 * Whether the server's certificate is the one that the records name (RFC 7672 §3.1). `chain` is what the server sent, its own certificate first; `matchesName`
 * says whether a certificate is for the server's name, `nowMs` the time by which a chain must be valid.
 */
export function checkDane(
  records: readonly TlsaRecord[],
  chain: readonly X509Certificate[],
  options: { matchesName: (certificate: X509Certificate) => boolean; nowMs: number },
): DaneResult {
  // RFC 7672 §3.1.3: usages 0 and 1 are not for SMTP.
  const usable = records.filter(isUsable);
  if (usable.length === 0) return 'noUsableRecord';
  const [leaf] = chain;
  if (leaf === undefined) return 'mismatched';
  // RFC 7672 §3.1.1: the record says all of an end entity; its names and dates don't matter.
  if (usable.some((record) => record.usage === endEntity && isCertificate(record, leaf))) return 'matched';
  const anchors = usable.filter((record) => record.usage === trustAnchor);
  const anchored = anchors.length > 0 && options.matchesName(leaf) && reachesAnchor(chain, anchors, options.nowMs);
  return anchored ? 'matched' : 'mismatched';
}

const trustAnchor = 2;
const endEntity = 3;
const digestBytes: Readonly<Record<number, number>> = { 1: 32, 2: 64 };
/** Longer chains are nobody's. */
const maxChainLength = 10;

function isUsable({ usage, selector, matchingType, data }: TlsaRecord): boolean {
  if ((usage !== trustAnchor && usage !== endEntity) || (selector !== 0 && selector !== 1)) return false;
  return matchingType === 0 ? data.length > 0 : data.length === digestBytes[matchingType];
}

/** RFC 7672 §3.1.2: from the leaf upwards each is signed by the next, all are valid now, and one of them above the leaf is what a record names. */
function reachesAnchor(chain: readonly X509Certificate[], anchors: readonly TlsaRecord[], nowMs: number): boolean {
  for (const [at, certificate] of chain.slice(0, maxChainLength).entries()) {
    if (certificate.validFromDate.getTime() > nowMs || certificate.validToDate.getTime() < nowMs) return false;
    // The anchor may be the leaf itself, when that is what the record names.
    if (anchors.some((record) => isCertificate(record, certificate))) return true;
    const issuer = chain[at + 1];
    if (issuer === undefined || !issuer.ca) return false;
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false;
  }
  return false;
}

function isCertificate({ selector, matchingType, data }: TlsaRecord, certificate: X509Certificate): boolean {
  const content = selector === 0 ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' });
  const named =
    matchingType === 0
      ? content
      : createHash(matchingType === 1 ? 'sha256' : 'sha512')
          .update(content)
          .digest();
  return named.length === data.length && timingSafeEqual(named, data);
}
