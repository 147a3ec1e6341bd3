/**
 * Lenient base64 (RFC 2045 §6.8): characters outside the alphabet are skipped, the URL-safe alphabet is read too, padding in the
 * middle ends one run and the next begins (mailers concatenate encoded pieces), missing padding is made up.
 */
export function decodeBase64(encoded: Uint8Array): Buffer {
  const decoder = new Base64Decoder();
  return Buffer.concat([decoder.push(encoded), decoder.end()]);
}

/** How many bytes `decodeBase64` would give. */
export function base64DecodedBytes(encoded: Uint8Array): number {
  let size = 0;
  let digits = 0;
  for (let i = 0; i < encoded.length; i++) {
    const value = VALUES[encoded[i] ?? 0] ?? SKIP;
    if (value < 64) digits++;
    else if (value === PADDING) {
      size += bytesOf(digits);
      digits = 0;
    }
  }
  return size + bytesOf(digits);
}

/** Decodes in pieces of any size; holds at most 3 digits between them. */
export class Base64Decoder {
  #bits = 0;
  #digits = 0;

  push(encoded: Uint8Array): Buffer {
    const out = Buffer.allocUnsafe(Math.ceil(((encoded.length + 3) * 3) / 4));
    let length = 0;
    for (let i = 0; i < encoded.length; i++) {
      const value = VALUES[encoded[i] ?? 0] ?? SKIP;
      if (value < 64) {
        this.#bits = (this.#bits << 6) | value;
        if (++this.#digits === 4) {
          out[length++] = this.#bits >> 16;
          out[length++] = this.#bits >> 8;
          out[length++] = this.#bits;
          this.#bits = this.#digits = 0;
        }
      } else if (value === PADDING) {
        length += this.#flush(out, length);
      }
    }
    return out.subarray(0, length);
  }

  end(): Buffer {
    const out = Buffer.allocUnsafe(2);
    return out.subarray(0, this.#flush(out, 0));
  }

  #flush(out: Buffer, at: number): number {
    const count = bytesOf(this.#digits);
    const bits = this.#bits << (6 * (4 - this.#digits));
    if (count > 0) out[at] = bits >> 16;
    if (count > 1) out[at + 1] = bits >> 8;
    this.#bits = this.#digits = 0;
    return count;
  }
}

/** Whole bytes in so many digits of 6 bits; a single left-over digit is none. */
function bytesOf(digits: number): number {
  return Math.floor((digits * 3) / 4);
}

const SKIP = 255;
const PADDING = 64;
const VALUES = new Uint8Array(256).fill(SKIP);
for (const [value, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries())
  VALUES[char.charCodeAt(0)] = value;
VALUES['-'.charCodeAt(0)] = 62;
VALUES['_'.charCodeAt(0)] = 63;
VALUES['='.charCodeAt(0)] = PADDING;
