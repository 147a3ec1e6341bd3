import { isAscii, isUtf8 } from 'node:buffer';
import { createRequire } from 'node:module';

/** Decoders kept for reuse; a message can name any label, so the number is capped. */
const MAX_DECODERS = 48;
/** Bytes that are ASCII in these may still mean something else. */
const NOT_ASCII_SUPERSET =
  /^(?:iso-2022|csiso2022|utf-?(?:7|16|32)|unicode|ucs-?|hz-|hz$|cp037|ebcdic|ibm0?37|ibm500|ibm1047|replacement)/;
const UNDECLARED = new Set([
  '',
  'us-ascii',
  'ascii',
  'ansi_x3.4-1968',
  'unknown-8bit',
  'x-unknown',
  'unknown',
  'default',
  'none',
  '8bit',
  'binary',
]);

type Decode = (bytes: Buffer) => string;

/**
 * Turns bytes in the named charset into text; never throws. Bytes that the charset has no meaning for become U+FFFD.
 * Without a charset (or with us-ascii, or one that nobody knows) it is UTF-8 when the bytes are, else windows-1252.
 */
export function decodeCharset(bytes: Uint8Array, charset = ''): string {
  const buffer = asBuffer(bytes);
  const label = charset.trim().toLowerCase();
  if (isAscii(buffer) && !NOT_ASCII_SUPERSET.test(label)) return buffer.toString('latin1');
  if (UNDECLARED.has(label)) return decodeUndeclared(buffer);
  if (label === 'utf-8' || label === 'utf8') return decodeUtf8(buffer);
  return decoderFor(label)(buffer);
}

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Header text as it came (a string of one character for each byte) to Unicode: RFC 6532 §3 says UTF-8;
 * old mailers send whatever their user's machine had.
 */
export function decodeHeaderBytes(latin1: string): string {
  return /^[\x00-\x7f]*$/.test(latin1) ? latin1 : decodeUndeclared(Buffer.from(latin1, 'latin1'));
}

const decoders = new Map<string, Decode>();

function decoderFor(label: string): Decode {
  const known = decoders.get(label);
  if (known) return known;
  const decode = webDecoder(label) ?? iconvDecoder(label) ?? decodeUndeclared;
  if (decoders.size >= MAX_DECODERS) decoders.clear();
  decoders.set(label, decode);
  return decode;
}

function webDecoder(label: string): Decode | undefined {
  try {
    const decoder = new TextDecoder(label);
    return (bytes) => decoder.decode(bytes);
  } catch {
    return undefined; // RangeError: not in the Encoding Standard
  }
}

const require = createRequire(import.meta.url);

/** UTF-7, the DOS code pages and other charsets that browsers no longer read; loaded when a message needs it. */
function iconvDecoder(label: string): Decode | undefined {
  const iconv: typeof import('iconv-lite') = require('iconv-lite');
  return label.length <= 40 && iconv.encodingExists(label) ? (bytes) => iconv.decode(bytes, label) : undefined;
}

function decodeUndeclared(bytes: Buffer): string {
  return isUtf8(bytes) ? decodeUtf8(bytes) : windows1252.decode(bytes);
}

const windows1252 = new TextDecoder('windows-1252');

function decodeUtf8(bytes: Buffer): string {
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  return bytes.toString('utf8', start);
}
