import { decodeCharset } from './charset.ts';
import { decodeBase64 } from './base64.ts';

/**
 * One encoded word (RFC 2047 §2): charset with RFC 2231 §5 language, encoding, text. Every part is bounded, so that matching is
 * linear. Real mailers exceed the 75 characters of the standard and leave spaces inside, so neither is refused.
 */
const ENCODED_WORD = /=\?([^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?([bBqQ])\?([^?]{0,8192})\?=/g;

/**
 * Decodes the encoded words of a header text. White space between two of them is dropped, and neighbours of one charset are
 * joined before they are decoded, because mailers split characters between words. What is none is left as it is.
 */
export function decodeEncodedWords(text: string): string {
  if (!text.includes('=?')) return text;
  let decoded = '';
  let end = 0;
  let run: Run | undefined;
  for (const match of text.matchAll(ENCODED_WORD)) {
    const [whole, charset = '', encoding = '', payload = ''] = match;
    const gap = text.slice(end, match.index);
    const bytes = encoding.toUpperCase() === 'B' ? decodeBase64(Buffer.from(payload, 'latin1')) : decodeQ(payload);
    if (run && gap.trim() === '') {
      if (run.charset === charset.toLowerCase()) {
        run.pieces.push(bytes);
      } else {
        decoded += decodeRun(run);
        run = { charset: charset.toLowerCase(), pieces: [bytes] };
      }
    } else {
      decoded += (run ? decodeRun(run) : '') + gap;
      run = { charset: charset.toLowerCase(), pieces: [bytes] };
    }
    end = match.index + whole.length;
  }
  return decoded + (run ? decodeRun(run) : '') + text.slice(end);
}

type Run = { charset: string; pieces: Buffer[] };

function decodeRun(run: Run): string {
  const [only] = run.pieces;
  return decodeCharset(run.pieces.length === 1 && only ? only : Buffer.concat(run.pieces), run.charset);
}

/** RFC 2047 §4.2: quoted-printable with '_' for a space. */
function decodeQ(payload: string): Buffer {
  const bytes = Buffer.from(payload, 'utf8');
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    let byte = bytes[i] ?? 0;
    if (byte === UNDERSCORE) byte = SPACE;
    else if (byte === EQUALS) {
      const value = hexPair(bytes[i + 1], bytes[i + 2]);
      if (value !== -1) {
        byte = value;
        i += 2;
      }
    }
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}

const UNDERSCORE = 0x5f;
const SPACE = 0x20;
const EQUALS = 0x3d;

/** The byte that two hexadecimal digits stand for, or -1. */
export function hexPair(high: number | undefined, low: number | undefined): number {
  const value = (hexDigit(high) << 4) | hexDigit(low);
  return value < 0 ? -1 : value;
}

function hexDigit(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
