import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from '../../../libs/runtime/der.ts';
import { makeSelfSigned } from '../../../libs/runtime/self-signed.ts';

export interface Pair {
  cert: string;
  key: string;
}

const dayMs = 86_400_000;

/** A self-signed certificate for the names; `days` until it ends, less than 0 for one that has ended. */
export function selfSigned(names: readonly string[], days = 30): Pair {
  const nowMs = Date.now();
  return makeSelfSigned({ names, notBeforeMs: nowMs - 100 * dayMs, notAfterMs: nowMs + days * dayMs });
}

/** An authority of the tests' own, and certificates that it issues; `cert` of those holds the authority's too, as servers send it. */
export function authority(): { ca: string; issue: (names: readonly string[]) => Pair } {
  const root = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = distinguished('Test Authority');
  const ca = issueCertificate(name, name, root.publicKey, root.privateKey, [
    extension('2.5.29.19', true, sequence(boolean(true))),
    // keyCertSign
    extension('2.5.29.15', true, bitString(Buffer.from([0x04]), 2)),
  ]);
  return {
    ca,
    issue: (names) => {
      const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const alternatives = names.map((text) => implicit(2, Buffer.from(text, 'ascii')));
      const leaf = issueCertificate(name, distinguished(names[0] ?? ''), keys.publicKey, root.privateKey, [
        extension('2.5.29.17', false, sequence(...alternatives)),
        extension('2.5.29.37', false, sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'))),
      ]);
      return { cert: leaf + ca, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
  };
}

/** The data of a TLSA record of matching type 1 (SHA-256) for a certificate, by selector. */
export function tlsaData(cert: string, selector: 0 | 1): Buffer {
  const certificate = new X509Certificate(cert);
  const content = selector === 0 ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(content).digest();
}

function issueCertificate(
  issuer: Buffer,
  subject: Buffer,
  publicKey: KeyObject,
  issuerKey: KeyObject,
  extensions: Buffer[],
): string {
  const algorithm = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
  const nowMs = Date.now();
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    issuer,
    sequence(time(nowMs - dayMs), time(nowMs + 30 * dayMs)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions)),
  );
  const der = sequence(body, algorithm, bitString(sign('sha256', body, issuerKey)));
  return new X509Certificate(der).toString();
}

const distinguished = (text: string): Buffer => sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String(text))));

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value));
}
