import { decodeCharset, decodeHeaderBytes } from './charset.ts';
import { decodeEncodedWords, hexPair } from './encoded-words.ts';
import { MAX_PARAMETERS } from './limits.ts';

/** A value with parameters (RFC 2045 §5.1, RFC 2183): the value in lower case, parameter names in lower case, the first of a name counts. */
export type ParameterizedValue = { value: string; parameters: Map<string, string> };

/**
 * Reads Content-Type and Content-Disposition as mailers write them: RFC 2231 continuations, charsets and languages, raw 8-bit,
 * encoded words (against RFC 2047 §5), unquoted values with spaces. Never throws; one pass.
 */
export function parseParameterized(field: string): ParameterizedValue {
  const text = decodeHeaderBytes(field);
  const semicolon = text.indexOf(';');
  const value = (semicolon === -1 ? text : text.slice(0, semicolon)).replace(/\(.*$/s, '').trim().toLowerCase();
  const parameters = new Map<string, string>();
  if (semicolon === -1) return { value, parameters };
  const segments = new Map<string, Segment[]>();
  let at = semicolon;
  for (let count = 0; at < text.length && count < MAX_PARAMETERS; count++)
    at = readParameter(text, at, parameters, segments);
  for (const [name, list] of segments) {
    // RFC 2231 §3: the numbered form wins over the plain one that is there for old readers.
    parameters.set(name, joinSegments(list));
  }
  return { value, parameters };
}

type Segment = { index: number; encoded: boolean; text: string };

function readParameter(
  text: string,
  from: number,
  parameters: Map<string, string>,
  segments: Map<string, Segment[]>,
): number {
  const start = skip(text, from, PARAMETER_GAP);
  const nameEnd = skip(text, start, NAME);
  const name = text.slice(start, nameEnd).trim().toLowerCase();
  if (text.charAt(nameEnd) !== '=') return nameEnd === from ? nameEnd + 1 : nameEnd;
  const { value, end } = readValue(text, skip(text, nameEnd + 1, BLANKS));
  const star = name.indexOf('*');
  if (star === -1) {
    if (name !== '' && !parameters.has(name)) parameters.set(name, value);
    return end;
  }
  const base = name.slice(0, star);
  const suffix = name.slice(star + 1);
  const list = segments.get(base) ?? [];
  list.push({ index: Number.parseInt(suffix, 10) || 0, encoded: suffix === '' || suffix.endsWith('*'), text: value });
  segments.set(base, list);
  return end;
}

const PARAMETER_GAP = /[;\s]*/y;
const NAME = /[^=;]*/y;
const BLANKS = /\s*/y;
const QUOTED_RUN = /[^"\\]*/y;
const UNQUOTED = /[^;]*/y;

function skip(text: string, at: number, run: RegExp): number {
  run.lastIndex = at;
  return at + (run.exec(text)?.[0].length ?? 0);
}

function readValue(text: string, start: number): { value: string; end: number } {
  if (text.charAt(start) !== '"') {
    const end = skip(text, start, UNQUOTED);
    return {
      value: text
        .slice(start, end)
        .replace(/\s\(.*$/s, '')
        .trim(),
      end,
    };
  }
  let value = '';
  let at = start + 1;
  for (;;) {
    const end = skip(text, at, QUOTED_RUN);
    value += text.slice(at, end);
    at = end;
    if (text.charAt(at) !== '\\') break;
    // A backslash quotes only what needs it: some mailers write Windows paths.
    value += /["\\]/.test(text.charAt(at + 1)) ? text.charAt(at + 1) : text.slice(at, at + 2);
    at += 2;
  }
  return { value, end: Math.min(skip(text, at + 1, UNQUOTED), text.length) };
}

function joinSegments(segments: Segment[]): string {
  segments.sort((a, b) => a.index - b.index);
  let charset = '';
  const pieces: Buffer[] = [];
  for (const [position, segment] of segments.entries()) {
    let { text } = segment;
    if (position === 0 && segment.encoded) {
      // RFC 2231 §4: charset'language'text
      const first = text.indexOf("'");
      const second = first === -1 ? -1 : text.indexOf("'", first + 1);
      if (second !== -1) {
        charset = text.slice(0, first);
        text = text.slice(second + 1);
      }
    }
    pieces.push(segment.encoded ? percentDecode(text) : Buffer.from(text, 'utf8'));
  }
  return decodeCharset(Buffer.concat(pieces), charset);
}

function percentDecode(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const value = bytes[i] === 0x25 ? hexPair(bytes[i + 1], bytes[i + 2]) : -1;
    bytes[length++] = value === -1 ? (bytes[i] ?? 0) : value;
    if (value !== -1) i += 2;
  }
  return bytes.subarray(0, length);
}

const MAX_NAME_LENGTH = 255;

/**
 * The name under which a part may be offered: never a path, no control characters, no direction overrides
 * (which make `exe.txt` of `txt.exe`). Undefined when nothing is left.
 */
export function fileName(disposition: ParameterizedValue, contentType: ParameterizedValue): string | undefined {
  const written = disposition.parameters.get('filename') ?? contentType.parameters.get('name');
  if (written === undefined) return undefined;
  const decoded = decodeEncodedWords(written).replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '');
  const base = decoded.slice(Math.max(decoded.lastIndexOf('/'), decoded.lastIndexOf('\\')) + 1).trim();
  const name = base.slice(0, MAX_NAME_LENGTH).toWellFormed();
  return name === '' || name === '.' || name === '..' ? undefined : name;
}
