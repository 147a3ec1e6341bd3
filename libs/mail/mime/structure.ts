import { fieldValue, type HeaderField, readHeaderBlock } from './header-block.ts';
import { MAX_BOUNDARY_LENGTH, MAX_DEPTH, MAX_PARTS } from './limits.ts';
import { fileName, type ParameterizedValue, parseParameterized } from './parameters.ts';

/** One entity of the MIME tree. `start` and `end` are the offsets of its encoded body in the raw message. */
export type Part = {
  /** media type in lower case; text/plain where there is none that can be read */
  type: string;
  charset: string | undefined;
  /** Content-Transfer-Encoding in lower case */
  encoding: string;
  disposition: 'inline' | 'attachment' | undefined;
  name: string | undefined;
  /** Content-ID without angle brackets */
  cid: string | undefined;
  start: number;
  end: number;
  boundary: string | undefined;
  children: Part[];
};

/** `broken`: a limit was hit, or a multipart has no boundary or no part. */
export type Structure = { root: Part; broken: boolean };

/**
 * Finds the parts of a message in one forward scan: the cost is that of looking at each line that begins with "--" once, however
 * deep or many the multiparts are. message/rfc822 is a leaf. An unfinished multipart ends where the message ends.
 */
export function readStructure(raw: Buffer, fields: readonly HeaderField[], bodyStart: number): Structure {
  const root = newPart(fields, bodyStart, raw.length, 'text/plain');
  const structure: Structure = { root, broken: false };
  if (root.type.startsWith('multipart/')) new DelimiterScan(raw, structure).run();
  return structure;
}

/** The leaves in the order of the message. */
export function* leaves(part: Part): Generator<Part> {
  if (part.children.length === 0) yield part;
  for (const child of part.children) yield* leaves(child);
}

type OpenMultipart = {
  part: Part;
  boundary: string /** the level that had this boundary before */;
  shadowed: number | undefined;
};

class DelimiterScan {
  readonly #raw: Buffer;
  readonly #structure: Structure;
  readonly #open: OpenMultipart[] = [];
  readonly #levelOf = new Map<string, number>();
  #leaf: Part | undefined;
  #parts = 1;

  constructor(raw: Buffer, structure: Structure) {
    this.#raw = raw;
    this.#structure = structure;
  }

  run(): void {
    const { root } = this.#structure;
    this.#enter(root);
    let at = root.start - 1;
    while (this.#open.length > 0) {
      const newline = this.#raw.indexOf(NEWLINE_DASHES, Math.max(at, 0));
      if (newline === -1) break;
      at = this.#readLine(newline);
      if (this.#parts > MAX_PARTS) break;
    }
    this.#leave(0, this.#raw.length);
  }

  /** Looks at the line after `newline`; gives the offset where the search goes on. */
  #readLine(newline: number): number {
    const lineStart = newline + 1;
    const found = this.#raw.indexOf(LF, lineStart);
    const lineEnd = found === -1 ? this.#raw.length : found;
    // RFC 2046 §5.1.1: white space after the boundary is padding added in transport.
    const line = this.#raw
      .toString('latin1', lineStart + 2, Math.min(lineEnd, lineStart + MAX_BOUNDARY_LENGTH + 64))
      .trimEnd();
    let level = this.#levelOf.get(line);
    const closing = level === undefined && line.endsWith('--');
    if (closing) level = this.#levelOf.get(line.slice(0, -2));
    if (level === undefined) return lineEnd;
    const bodyEnd = this.#raw[newline - 1] === CR ? newline - 1 : newline;
    this.#leave(closing ? level : level + 1, bodyEnd);
    const parent = this.#open[level];
    if (closing || !parent) return lineEnd;
    return this.#beginPart(parent.part, Math.min(lineEnd + 1, this.#raw.length));
  }

  #beginPart(parent: Part, headerStart: number): number {
    if (++this.#parts > MAX_PARTS) {
      this.#structure.broken = true;
      return this.#raw.length;
    }
    const { fields, bodyStart, broken } = readHeaderBlock(this.#raw, headerStart, true);
    if (broken) this.#structure.broken = true;
    const fallback = parent.type === 'multipart/digest' ? 'message/rfc822' : 'text/plain'; // RFC 2046 §5.1.5
    const part = newPart(fields, bodyStart, this.#raw.length, fallback);
    parent.children.push(part);
    this.#enter(part);
    return bodyStart - 1;
  }

  #enter(part: Part): void {
    const { boundary } = part;
    const isMultipart = part.type.startsWith('multipart/');
    if (!isMultipart || boundary === undefined || this.#open.length >= MAX_DEPTH) {
      if (isMultipart) this.#structure.broken = true;
      if (isMultipart && boundary === undefined) part.type = 'text/plain'; // show what is there
      this.#leaf = part;
      return;
    }
    this.#open.push({ part, boundary, shadowed: this.#levelOf.get(boundary) });
    this.#levelOf.set(boundary, this.#open.length - 1);
  }

  /** Ends the open leaf and every multipart from `level` on. */
  #leave(level: number, end: number): void {
    if (this.#leaf) this.#leaf.end = Math.max(this.#leaf.start, end);
    this.#leaf = undefined;
    while (this.#open.length > level) {
      const closed = this.#open.pop();
      if (!closed) return;
      closed.part.end = Math.max(closed.part.start, end);
      if (closed.shadowed === undefined) this.#levelOf.delete(closed.boundary);
      else this.#levelOf.set(closed.boundary, closed.shadowed);
      if (closed.part.children.length === 0) {
        closed.part.type = 'text/plain';
        this.#structure.broken = true;
      }
    }
  }
}

const NEWLINE_DASHES = Buffer.from('\n--');
const LF = 0x0a;
const CR = 0x0d;
const NONE: ParameterizedValue = { value: '', parameters: new Map() };

function newPart(fields: readonly HeaderField[], start: number, end: number, fallback: string): Part {
  const contentTypeField = fieldValue(fields, 'content-type');
  const dispositionField = fieldValue(fields, 'content-disposition');
  const contentType = contentTypeField === undefined ? NONE : parseParameterized(contentTypeField);
  const disposition = dispositionField === undefined ? NONE : parseParameterized(dispositionField);
  const boundary = contentType.parameters.get('boundary');
  return {
    type: MEDIA_TYPE.test(contentType.value) ? contentType.value : fallback,
    charset: contentType.parameters.get('charset'),
    encoding: (fieldValue(fields, 'content-transfer-encoding') ?? '7bit').replace(/[;(\s].*$/s, '').toLowerCase(),
    // RFC 2183 §2.8: an unknown disposition is an attachment
    disposition: disposition.value === '' ? undefined : disposition.value === 'inline' ? 'inline' : 'attachment',
    name: fileName(disposition, contentType),
    cid: contentId(fieldValue(fields, 'content-id')),
    start,
    end,
    boundary:
      boundary && boundary.length <= MAX_BOUNDARY_LENGTH
        ? Buffer.from(boundary).toString('latin1').trimEnd()
        : undefined,
    children: [],
  };
}

const MEDIA_TYPE = /^[a-z0-9!#$&^_.+-]{1,127}\/[a-z0-9!#$&^_.+-]{1,127}$/;

function contentId(value: string | undefined): string | undefined {
  const id = value?.trim().replace(/^<|>$/g, '').slice(0, 255);
  return id ? id : undefined;
}
