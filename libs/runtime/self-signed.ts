import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';
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
} from './der.ts';

/**
 * A self-signed certificate (RFC 5280, ECDSA P-256) in PEM, for trying things out: clients must be told to trust it. `names` are DNS names and
 * IPv4 addresses; the first is the subject.
 */
export function makeSelfSigned(request: { names: readonly string[]; notBeforeMs: number; notAfterMs: number }): {
  cert: string;
  key: string;
} {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = subject(request.names[0] ?? 'localhost');
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.from([2]))),
    // RFC 5280 §4.1.2.2: positive, at most 20 octets.
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ecdsaWithSha256,
    name,
    sequence(time(request.notBeforeMs), time(request.notAfterMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, extensions(request.names)),
  );
  const certificate = sequence(toBeSigned, ecdsaWithSha256, bitString(sign('sha256', toBeSigned, privateKey)));
  return { cert: pem('CERTIFICATE', certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

const ecdsaWithSha256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const commonName = objectIdentifier('2.5.4.3');

/** RFC 5280 Appendix A.1: a common name has at most 64 characters; clients look at the alternative names anyway. */
function subject(name: string): Buffer {
  return sequence(set(sequence(commonName, utf8String(name.slice(0, 64)))));
}

function extensions(names: readonly string[]): Buffer {
  const alternatives = names.map((name) =>
    isIPv4(name) ? implicit(7, Buffer.from(name.split('.').map(Number))) : implicit(2, Buffer.from(name, 'ascii')),
  );
  return sequence(
    extension('2.5.29.17', false, sequence(...alternatives)),
    // Not an authority: whoever trusts it trusts this server alone.
    extension('2.5.29.19', true, sequence()),
    // digitalSignature
    extension('2.5.29.15', true, bitString(Buffer.from([0x80]), 7)),
    // serverAuth
    extension('2.5.29.37', false, sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'))),
  );
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
