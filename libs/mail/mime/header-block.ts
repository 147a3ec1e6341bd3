import { MAX_HEADER_BYTES, MAX_HEADER_FIELDS } from './limits.ts';

/** `name` as written, `key` in lower case, `value` unfolded and trimmed, one character for each byte (see decodeHeaderBytes). */
export type HeaderField = { name: string; key: string; value: string };

export type HeaderBlock = {
  fields: HeaderField[];
  /** offset of the first byte of the body */
  bodyStart: number;
  /** a limit was hit, or what should be a header is none */
  broken: boolean;
};

/**
 * Reads the header block (RFC 5322 §2.1, §2.2) that begins at `start`. A line that is neither a field nor a folded one is skipped when a field
 * follows it; else the body begins there, as in a message to which nobody gave a header. In a body part (`nested`) a line that begins
 * with "--" ends the block too: it is a delimiter, and the part lacks its empty line.
 */
export function readHeaderBlock(raw: Buffer, start: number, nested = false): HeaderBlock {
  let window = raw.subarray(start, start + USUAL_HEADER_BYTES);
  let end = endOfHeader(window);
  if (end.bodyAt === window.length) {
    window = largestWindow(raw, start, nested);
    end = endOfHeader(window);
  }
  const text = window.toString('latin1', 0, end.at);
  const block: HeaderBlock = { fields: [], bodyStart: start + end.bodyAt, broken: false };
  if (end.bodyAt === MAX_HEADER_BYTES && raw.length > start + MAX_HEADER_BYTES) {
    block.broken = true;
    if (!nested) block.bodyStart = endOfOversizeHeader(raw, block.bodyStart);
  }
  let at = 0;
  while (at < text.length) {
    const lineEnd = endOfField(text, at);
    if (nested && text.startsWith('--', at)) return endHere(block, start + at);
    if (block.fields.length >= MAX_HEADER_FIELDS) {
      block.broken = true;
      return block;
    }
    const field = readField(text, at, lineEnd);
    if (field) block.fields.push(field);
    else if (!isMboxLine(text, at) && !beginsField(text, lineEnd)) return endHere(block, start + at, !nested);
    at = lineEnd;
  }
  block.broken ||= !nested && block.fields.length === 0;
  return block;
}

/** The value of the first field of that name (in lower case). */
export function fieldValue(fields: readonly HeaderField[], key: string): string | undefined {
  for (const field of fields) if (field.key === key) return field.value;
  return undefined;
}

/** What nearly every header block fits into. */
const USUAL_HEADER_BYTES = 4096;

/**
 * A part's block ends at the next line that begins with "--" at the latest; looking no further keeps the cost of many parts without
 * an empty line linear.
 */
function largestWindow(raw: Buffer, start: number, nested: boolean): Buffer {
  const window = raw.subarray(start, start + MAX_HEADER_BYTES);
  const dashes = nested ? window.indexOf(NEWLINE_DASHES) : -1;
  return dashes === -1 ? window : window.subarray(0, dashes + NEWLINE_DASHES.length);
}

const NEWLINE_DASHES = Buffer.from('\n--');
const CRLF_CRLF = Buffer.from('\r\n\r\n');
const LF_LF = Buffer.from('\n\n');

function endOfHeader(window: Buffer): { at: number; bodyAt: number } {
  if (window[0] === LF) return { at: 0, bodyAt: 1 };
  if (window[0] === CR && window[1] === LF) return { at: 0, bodyAt: 2 };
  const crlf = window.indexOf(CRLF_CRLF);
  const lf = (crlf === -1 ? window : window.subarray(0, crlf)).indexOf(LF_LF);
  if (lf !== -1) return { at: lf + 1, bodyAt: lf + 2 };
  if (crlf !== -1) return { at: crlf + 2, bodyAt: crlf + 4 };
  return { at: window.length, bodyAt: window.length };
}

/** For the message's own header alone: a search to the end for each of many parts would not be linear. */
function endOfOversizeHeader(raw: Buffer, from: number): number {
  const end = raw.indexOf(CRLF_CRLF, from);
  return end === -1 ? raw.length : end + CRLF_CRLF.length;
}

const LF = 0x0a;
const CR = 0x0d;

/** The start of the next field: past the line and the folded lines that follow it. */
function endOfField(text: string, start: number): number {
  let at = start;
  for (;;) {
    const newline = text.indexOf('\n', at);
    if (newline === -1) return text.length;
    at = newline + 1;
    const next = text.charCodeAt(at);
    if (next !== 0x20 && next !== 0x09) return at;
  }
}

const FIELD_NAME = /[!-9;-~]{1,256}[ \t]{0,16}:/y;

function readField(text: string, start: number, end: number): HeaderField | undefined {
  if (!beginsField(text, start)) return undefined;
  const colon = FIELD_NAME.lastIndex - 1;
  const name = text.slice(start, colon).trimEnd();
  let value = text.slice(colon + 1, end).trim();
  if (value.includes('\n')) value = value.replace(/\r?\n/g, '');
  return { name, key: name.toLowerCase(), value };
}

function beginsField(text: string, at: number): boolean {
  FIELD_NAME.lastIndex = at;
  return FIELD_NAME.test(text);
}

/** The separator of mbox files, which some tools leave in place. */
function isMboxLine(text: string, at: number): boolean {
  return at === 0 && (text.startsWith('From ') || text.startsWith('>From '));
}

function endHere(block: HeaderBlock, bodyStart: number, broken = false): HeaderBlock {
  block.bodyStart = bodyStart;
  block.broken ||= broken;
  return block;
}
