/** What makes the content of DATA unacceptable. The first one found stays, with the line (from 1) where it stands. */
export interface DataFlaw {
  kind: 'bareCr' | 'bareLf' | 'longLine' | 'tooLarge';
  line: number;
}

export interface DataScannerLimits {
  maxMessageBytes: number;
  /** Of one line, its CRLF not counted. */
  maxLineBytes: number;
}

/**
 * Reads what follows the 354: finds the end of the data, takes out the dots that were put before dots (RFC 5321 §4.5.2), and looks for lines that don't end in
 * CRLF.
 *
 * Only CRLF ends a line and only CRLF.CRLF ends the data (RFC 5321 §2.3.8, §4.1.1.4). A CR or LF on its own is a flaw, because servers that disagree on what
 * ends a line can be made to see another message inside this one. After a flaw the content is dropped and only the end is looked for.
 */
export class DataScanner {
  readonly #limits: DataScannerLimits;
  /** The last octets of a chunk whose meaning the next chunk decides: CR, dot, or dot CR. */
  #held: Buffer = empty;
  #atLineStart = true;
  /** Octets of the current line that were in earlier chunks. */
  #lineBytes = 0;
  #line = 1;
  #flaw: DataFlaw | undefined;
  #sizeBytes = 0;

  constructor(limits: DataScannerLimits) {
    this.#limits = limits;
  }

  get flaw(): DataFlaw | undefined {
    return this.#flaw;
  }

  /** Octets of content so far, the dropped ones too. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Takes the next chunk. `content` has the octets of the message, as parts of `chunk` where possible; nothing once there is a flaw. `rest` is what came after
   * the end of the data, undefined while the end hasn't come.
   */
  push(chunk: Buffer): { content: Buffer | undefined; rest: Buffer | undefined } {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = empty;
    /** Starts of dots to take out. */
    const dots: number[] = [];
    let cursor = 0;
    for (;;) {
      const lf = bytes.indexOf(LF, cursor);
      if (lf === -1) return this.#partial(bytes, cursor, dots);
      const endsInCrlf = lf > 0 && bytes[lf - 1] === CR;
      if (this.#atLineStart && bytes[cursor] === DOT) {
        if (lf === cursor + 2 && endsInCrlf)
          return { content: this.#content(bytes, cursor, dots), rest: bytes.subarray(lf + 1) };
        dots.push(cursor);
      }
      this.#endLine(bytes, cursor, lf, endsInCrlf);
      cursor = lf + 1;
    }
  }

  #endLine(bytes: Buffer, start: number, lf: number, endsInCrlf: boolean): void {
    const cr = bytes.indexOf(CR, start);
    if (cr !== -1 && cr < lf - 1) this.#note('bareCr');
    if (!endsInCrlf) this.#note('bareLf');
    else if (this.#lineBytes + lf - 1 - start > this.#limits.maxLineBytes) this.#note('longLine');
    // After a bare LF no dot ends the data: a strict reader sees no line there.
    this.#atLineStart = endsInCrlf;
    this.#lineBytes = 0;
    this.#line++;
  }

  /** The chunk ends within a line: keeps back what can't be judged yet. */
  #partial(bytes: Buffer, start: number, dots: number[]): { content: Buffer | undefined; rest: undefined } {
    const dotFirst = this.#atLineStart && bytes[start] === DOT;
    let end = bytes.length;
    if (end > start && bytes[end - 1] === CR) end--;
    if (dotFirst && end === start + 1) end = start;
    this.#held = bytes.subarray(end);
    const cr = bytes.indexOf(CR, start);
    if (cr !== -1 && cr < end) this.#note('bareCr');
    if (end > start) {
      if (dotFirst) dots.push(start);
      this.#atLineStart = false;
      this.#lineBytes += end - start;
      if (this.#lineBytes > this.#limits.maxLineBytes) this.#note('longLine');
    }
    return { content: this.#content(bytes, end, dots), rest: undefined };
  }

  #content(bytes: Buffer, end: number, dots: readonly number[]): Buffer | undefined {
    this.#sizeBytes += end - dots.length;
    if (this.#sizeBytes > this.#limits.maxMessageBytes) this.#note('tooLarge');
    if (this.#flaw) return undefined;
    return dots.length === 0 ? bytes.subarray(0, end) : withoutDots(bytes, end, dots);
  }

  #note(kind: DataFlaw['kind']): void {
    this.#flaw ??= { kind, line: this.#line };
  }
}

function withoutDots(bytes: Buffer, end: number, dots: readonly number[]): Buffer {
  const content = Buffer.allocUnsafe(end - dots.length);
  let from = 0;
  let to = 0;
  for (const dot of dots) {
    to += bytes.copy(content, to, from, dot);
    from = dot + 1;
  }
  bytes.copy(content, to, from, end);
  return content;
}

const CR = 13;
const LF = 10;
const DOT = 46;
const empty = Buffer.alloc(0);
