import { Base64Decoder, base64DecodedBytes, decodeBase64 } from './base64.ts';
import { asBuffer } from './charset.ts';
import { hexPair } from './encoded-words.ts';

/** Decodes a body that comes in pieces; `end` gives what was held back. */
export type TransferDecoder = { push(encoded: Uint8Array): Buffer; end(): Buffer };

/** A decoder for the Content-Transfer-Encoding (RFC 2045 §6); an unknown one leaves the bytes as they are. */
export function transferDecoder(encoding: string): TransferDecoder {
  if (encoding === 'base64') return new Base64Decoder();
  if (encoding === 'quoted-printable') return new QuotedPrintableDecoder();
  return { push: asBuffer, end: () => Buffer.alloc(0) };
}

/** May share memory with `encoded`. */
export function decodeTransfer(encoded: Uint8Array, encoding: string): Buffer {
  if (encoding === 'base64') return decodeBase64(encoded);
  if (encoding !== 'quoted-printable') return asBuffer(encoded);
  const decoder = new QuotedPrintableDecoder();
  const decoded = decoder.push(encoded);
  const rest = decoder.end();
  return rest.length === 0 ? decoded : Buffer.concat([decoded, rest]);
}

/** The length of what `decodeTransfer` would give, without holding it. */
export function decodedBytes(encoded: Uint8Array, encoding: string): number {
  if (encoding === 'base64') return base64DecodedBytes(encoded);
  if (encoding !== 'quoted-printable') return encoded.length;
  const decoder = new QuotedPrintableDecoder();
  let size = 0;
  for (let at = 0; at < encoded.length; at += COUNTING_PIECE_BYTES) {
    size += decoder.push(encoded.subarray(at, at + COUNTING_PIECE_BYTES)).length;
  }
  return size + decoder.end().length;
}

const COUNTING_PIECE_BYTES = 64 * 1024;
const EQUALS = 0x3d;
const LF = 0x0a;
const CR = 0x0d;
/** White space between '=' and the line end, added in transport. */
const MAX_PADDING = 80;

/** RFC 2045 §6.7, leniently: an '=' that begins neither a byte nor a soft line break stays. */
class QuotedPrintableDecoder implements TransferDecoder {
  #held: Buffer = Buffer.alloc(0);

  push(encoded: Uint8Array): Buffer {
    return this.#decode(this.#held.length === 0 ? asBuffer(encoded) : Buffer.concat([this.#held, encoded]), false);
  }

  end(): Buffer {
    return this.#decode(this.#held, true);
  }

  #decode(bytes: Buffer, last: boolean): Buffer {
    const out = Buffer.allocUnsafe(bytes.length);
    let length = 0;
    let at = 0;
    this.#held = bytes.subarray(bytes.length);
    while (at < bytes.length) {
      const found = bytes.indexOf(EQUALS, at);
      const stop = found === -1 ? bytes.length : found;
      length += bytes.copy(out, length, at, stop);
      at = stop;
      if (found === -1) break;
      const value = hexPair(bytes[at + 1], bytes[at + 2]);
      if (value !== -1) {
        out[length++] = value;
        at += 3;
        continue;
      }
      const next = endOfSoftBreak(bytes, at + 1);
      if (next === 'unknown' && !last) {
        this.#held = Buffer.from(bytes.subarray(at));
        break;
      }
      if (typeof next === 'number') at = next;
      else if (next === 'unknown' && bytes.length - at <= 1) at++;
      else out[length++] = bytes[at++] ?? 0;
    }
    return out.subarray(0, length);
  }
}

/** The offset after a soft line break; 'unknown' when the bytes end before it can be told. */
function endOfSoftBreak(bytes: Buffer, start: number): number | 'none' | 'unknown' {
  let at = start;
  while (at - start < MAX_PADDING && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
  if (bytes[at] === CR) at++;
  if (bytes[at] === LF) return at + 1;
  // One byte after '=' may still become a byte's first digit.
  const couldBeByte = at === start && bytes.length - start < 2 && hexPair(bytes[start] ?? 0x30, 0x30) !== -1;
  return at >= bytes.length || couldBeByte ? 'unknown' : 'none';
}
