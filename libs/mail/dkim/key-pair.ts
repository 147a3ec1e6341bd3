import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { DkimAlgorithm } from './algorithm.ts';

export interface KeyPair {
  /** PKCS #8, PEM. */
  privateKey: string;
  /** As `p=` of the DNS record. */
  publicKey: string;
}

/** RSA with 2048 bits: RFC 8301 §3.2 wants it, and a longer key fits no DNS answer well. */
export async function generateKeys(algorithm: DkimAlgorithm): Promise<KeyPair> {
  const { privateKey, publicKey } =
    algorithm === 'rsa-sha256' ? await generate('rsa', { modulusLength: 2048 }) : await generate('ed25519', undefined);
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKeyText(algorithm, publicKey),
  };
}

const generate = promisify(generateKeyPair);

/** Base64: of an RSA key its SubjectPublicKeyInfo (RFC 6376 §3.6.1), of Ed25519 the 32 octets alone (RFC 8463 §4.2). */
function publicKeyText(algorithm: DkimAlgorithm, key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  return (algorithm === 'rsa-sha256' ? der : der.subarray(-32)).toString('base64');
}

/** What a sealed private key is bound to. */
export const placeOfKey = (domain: string, selector: string): string => `dkim/${domain}/${selector}`;
