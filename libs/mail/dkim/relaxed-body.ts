import { createHash } from 'node:crypto';

/**
 * SHA-256 of a body in the relaxed canonical form (RFC 6376 §3.4.4), taken in pieces of any size. Only CRLF ends a line: a bare CR or LF is a character like
 * others, as it would be for who receives it.
 */
export class RelaxedBodyHash {
  readonly #hash = createHash('sha256');
  readonly #out = Buffer.allocUnsafe(outBytes);
  #used = 0;
  /** Line ends that count only if something follows. */
  #lineEnds = 0;
  #white = false;
  /** A CR whose LF may come with the next piece. */
  #cr = false;
  #isEmpty = true;

  update(piece: Uint8Array): this {
    const { length } = piece;
    let at = 0;
    while (at < length) {
      const octet = piece[at] ?? 0;
      if (this.#cr) {
        this.#cr = false;
        if (octet === LF) {
          this.#lineEnds += 1;
          this.#white = false;
          at += 1;
          continue;
        }
        this.#put(CR);
      }
      if (octet === SP || octet === TAB) {
        this.#white = true;
        at += 1;
      } else if (octet === CR) {
        this.#cr = true;
        at += 1;
      } else {
        at = this.#putRun(piece, at);
      }
    }
    return this;
  }

  /** Base64, as in `bh=`. Ends the hash. */
  digest(): string {
    if (this.#cr) this.#put(CR);
    // A body that isn't empty ends in CRLF; one of empty lines alone is empty.
    if (!this.#isEmpty) this.#append(CR, LF);
    this.#flush();
    return this.#hash.digest('base64');
  }

  /** What stands before a character is settled by it. */
  #settle(): void {
    for (; this.#lineEnds > 0; this.#lineEnds -= 1) this.#append(CR, LF);
    if (this.#white) {
      this.#white = false;
      this.#append(SP);
    }
    this.#isEmpty = false;
  }

  #put(octet: number): void {
    this.#settle();
    this.#append(octet);
  }

  /** All from here that stays as it is: most of a usual body at once. Returns where it ends. */
  #putRun(piece: Uint8Array, start: number): number {
    this.#settle();
    const end = endOfRun(piece, start);
    const length = end - start;
    if (this.#used + length > outBytes) this.#flush();
    if (length > outBytes) {
      this.#hash.update(piece.subarray(start, end));
    } else {
      this.#out.set(piece.subarray(start, end), this.#used);
      this.#used += length;
    }
    return end;
  }

  #append(...octets: readonly number[]): void {
    if (this.#used + octets.length > outBytes) this.#flush();
    for (const octet of octets) {
      this.#out[this.#used] = octet;
      this.#used += 1;
    }
  }

  #flush(): void {
    this.#hash.update(this.#out.subarray(0, this.#used));
    this.#used = 0;
  }
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;

const outBytes = 64 * 1024;

/** A single space or line end between two other characters is part of what stays. */
function endOfRun(piece: Uint8Array, start: number): number {
  const { length } = piece;
  let at = start;
  while (at < length) {
    const octet = piece[at] ?? 0;
    if (octet > SP || !isWhite(octet)) {
      at += 1;
      continue;
    }
    const next = octet === CR && piece[at + 1] === LF ? at + 2 : at + 1;
    // A tab becomes a space, and a CR alone is looked at with what follows it.
    if (octet === TAB || (octet === CR && next === at + 1)) return at;
    if (next >= length || isWhite(piece[next] ?? SP)) return at;
    at = next;
  }
  return length;
}

const isWhite = (octet: number): boolean => octet === SP || octet === CR || octet === TAB;
