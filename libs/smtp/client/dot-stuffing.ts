/** The bytes of a message can't go as they are; a mistake of whoever prepared them, never of the server. */
export class ContentUnfit extends Error {
  override readonly name = 'ContentUnfit';
  readonly flaw: 'bareCr' | 'bareLf' | 'eightBit' | 'longLine' | 'size';

  constructor(flaw: ContentUnfit['flaw']) {
    super(`the message can't be sent as it is: ${flaw}`);
    this.flaw = flaw;
  }
}

/** RFC 5321 §4.5.3.1.6, without the CRLF. */
const maxLineBytes = 998;

/**
 * Makes of a message what goes over the wire after DATA (RFC 5321 §4.5.2): a dot before each dot that begins a line, CRLF.CRLF at the end. The lines of the
 * message must end in CRLF; a CR or LF on its own throws {@link ContentUnfit}, since servers that disagree on what ends a line can be made to see another message inside
 * this one. With `sevenBit` an octet over 127 and a line past {@link maxLineBytes} do so too.
 */
export class DotStuffer {
  readonly #sevenBit: boolean;
  #atLineStart = true;
  #afterCr = false;
  #lineBytes = 0;

  constructor(options: { sevenBit: boolean }) {
    this.#sevenBit = options.sevenBit;
  }

  /** The next piece, in chunks of any size. Shares memory with `chunk` where nothing was put in. */
  push(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk;
    if (this.#sevenBit) this.#checkSevenBit(chunk);
    this.#checkCr(chunk);
    const dots: number[] = this.#atLineStart && chunk[0] === DOT ? [0] : [];
    let lf = chunk.indexOf(LF);
    while (lf !== -1) {
      if (lf === 0 ? !this.#afterCr : chunk[lf - 1] !== CR) throw new ContentUnfit('bareLf');
      if (chunk[lf + 1] === DOT) dots.push(lf + 1);
      lf = chunk.indexOf(LF, lf + 1);
    }
    this.#afterCr = chunk.at(-1) === CR;
    this.#atLineStart = chunk.at(-1) === LF;
    return dots.length === 0 ? chunk : withDots(chunk, dots);
  }

  /** The end of the data; a message that doesn't end in CRLF gets one. */
  end(): Buffer {
    if (this.#afterCr) throw new ContentUnfit('bareCr');
    return this.#atLineStart ? END : END_OF_OPEN_LINE;
  }

  #checkCr(chunk: Buffer): void {
    if (this.#afterCr && chunk[0] !== LF) throw new ContentUnfit('bareCr');
    let cr = chunk.indexOf(CR);
    while (cr !== -1 && cr < chunk.length - 1) {
      if (chunk[cr + 1] !== LF) throw new ContentUnfit('bareCr');
      cr = chunk.indexOf(CR, cr + 1);
    }
  }

  #checkSevenBit(chunk: Buffer): void {
    let line = this.#lineBytes;
    for (const byte of chunk) {
      if (byte > 127) throw new ContentUnfit('eightBit');
      if (byte === LF) line = 0;
      else if (byte !== CR && ++line > maxLineBytes) throw new ContentUnfit('longLine');
    }
    this.#lineBytes = line;
  }
}

function withDots(chunk: Buffer, dots: readonly number[]): Buffer {
  const stuffed = Buffer.allocUnsafe(chunk.length + dots.length);
  let from = 0;
  let to = 0;
  for (const dot of dots) {
    to += chunk.copy(stuffed, to, from, dot);
    stuffed[to++] = DOT;
    from = dot;
  }
  chunk.copy(stuffed, to, from);
  return stuffed;
}

const CR = 13;
const LF = 10;
const DOT = 46;
const END = Buffer.from('.\r\n');
const END_OF_OPEN_LINE = Buffer.from('\r\n.\r\n');
