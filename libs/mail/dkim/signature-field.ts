import { hash, type KeyObject, sign as signBytes } from 'node:crypto';
import type { DkimAlgorithm } from './algorithm.ts';
import { relaxedField } from './header-fields.ts';
import type { SignedFields } from './signed-fields.ts';

/** A private key, parsed: that is dear, and signers keep it. */
export interface DkimPrivateKey {
  /** A-labels. */
  domain: string;
  selector: string;
  algorithm: DkimAlgorithm;
  key: KeyObject;
}

export interface SignatureTimes {
  /** `t=`, ms. */
  signedAt: number;
  /** `x=`, ms; undefined: the signature doesn't expire. */
  expiresAt?: number | undefined;
}

/**
 * One DKIM-Signature field (RFC 6376 §3.5) with its CRLF, in lines of at most 78 characters but where a domain is longer. `bodyHash` is base64. `l=` is never
 * there: it lets anybody add to a body (§8.2).
 */
export async function signatureField(
  { domain, selector, algorithm, key }: DkimPrivateKey,
  signed: SignedFields,
  bodyHash: string,
  { signedAt, expiresAt }: SignatureTimes,
): Promise<string> {
  const unsigned = fold([
    'DKIM-Signature: v=1;',
    ` a=${algorithm};`,
    ' c=relaxed/relaxed;',
    ` d=${domain};`,
    ` s=${selector};`,
    ` i=@${domain};`,
    ` t=${seconds(signedAt)};`,
    // RFC 6376 §3.5: later than t=.
    ...(expiresAt === undefined ? [] : [` x=${Math.max(seconds(expiresAt), seconds(signedAt) + 1)};`]),
    ...signed.names.map((name, at) => `${at === 0 ? ' h=' : ':'}${name}${at === signed.names.length - 1 ? ';' : ''}`),
    ...inPieces(` bh=${bodyHash};`),
    ' b=',
  ]);
  // RFC 6376 §3.7: the signature itself is hashed with an empty b= and without a CRLF.
  const hashed = [...signed.fields.map(relaxedField), relaxedField({ key: 'dkim-signature', text: unsigned })];
  const signature = await signatureOf(algorithm, key, Buffer.from(hashed.join('\r\n'), 'latin1'));
  return `${fold([unsigned, ...inPieces(signature)])}\r\n`;
}

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** In a thread of libuv: an RSA signature takes 0.3 ms, in which the event loop does other things. */
function signatureOf(algorithm: DkimAlgorithm, key: KeyObject, data: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, signature: Buffer): void => {
      if (error === null) resolve(signature.toString('base64'));
      else reject(error);
    };
    if (algorithm === 'rsa-sha256') signBytes('sha256', data, key, done);
    // RFC 8463 §3: what is signed by Ed25519 is the SHA-256 of the data.
    else signBytes(null, hash('sha256', data, 'buffer'), key, done);
  });
}

/** RFC 5322 §2.1.1. */
const lineLength = 78;
/** Short enough that a piece fits behind what stands on a line, mostly. */
const pieceLength = 16;

/** Base64 may be folded anywhere. */
const inPieces = (text: string): readonly string[] => text.match(new RegExp(`.{1,${pieceLength}}`, 'g')) ?? [];

/** Puts tokens together, a new line before each that the line has no room for. A token begins with the space that may stand before it. */
function fold(tokens: readonly string[]): string {
  let text = '';
  let used = 0;
  for (const token of tokens) {
    if (used > 0 && used + token.length > lineLength) {
      const folded = token.startsWith(' ') ? token : ` ${token}`;
      text += `\r\n${folded}`;
      used = folded.length;
    } else {
      text += token;
      used = text.length - (text.lastIndexOf('\n') + 1);
    }
  }
  return text;
}
