/** A whole reply of a server (RFC 5321 §4.2). Nothing in it has control characters. */
export interface ServerReply {
  /** 200 to 599. */
  code: number;
  /** RFC 3463, where the text begins with one of the code's class: `5.1.1`. */
  enhanced?: string;
  /** The text of all lines without their codes, joined by a space; at most {@link maxReplyTextLength} characters. */
  text: string;
  /** The text of each line without its code, as long as it was kept: for EHLO. */
  lines: readonly string[];
}

/** What came isn't a reply; `message` says why. */
export class ReplyMalformed extends Error {
  override readonly name = 'ReplyMalformed';
}

/** Of a reply in a trace, in characters. */
export const maxReplyTextLength = 512;
/** RFC 5321 §4.5.3.1.5 allows 512 octets; what is longer than this is cut, not refused. */
const maxKeptLineBytes = 2048;
/** Of one reply, the dropped octets too. */
const maxReplyBytes = 64 * 1024;
const maxReplyLines = 128;

/**
 * Cuts what a server sends into replies. Holds at most one reply of {@link maxReplyBytes}. Lenient in what harms nobody (a bare LF, lines too long, octets over
 * 127), strict in the rest: after a {@link ReplyMalformed} nothing can be known about which reply belongs to which command.
 */
export class ReplyParser {
  /** The start of a line whose end hasn't come, at most `maxKeptLineBytes`. */
  #line: Buffer = empty;
  #lines: string[] = [];
  #code: string | undefined;
  #replyBytes = 0;

  /** Octets of an unfinished reply have come. */
  get midReply(): boolean {
    return this.#replyBytes > 0;
  }

  /** The replies that this chunk ends. Throws {@link ReplyMalformed}; the parser is of no use then. */
  push(chunk: Buffer): ServerReply[] {
    const replies: ServerReply[] = [];
    if (chunk.includes(0)) throw new ReplyMalformed('a NUL');
    let at = 0;
    while (at < chunk.length) {
      const lf = chunk.indexOf(LF, at);
      const end = lf === -1 ? chunk.length : lf + 1;
      this.#replyBytes += end - at;
      if (this.#replyBytes > maxReplyBytes) throw new ReplyMalformed(`a reply of more than ${maxReplyBytes} octets`);
      this.#keep(chunk.subarray(at, lf === -1 ? end : lf));
      at = end;
      if (lf === -1) break;
      const reply = this.#endLine();
      if (reply) replies.push(reply);
    }
    return replies;
  }

  #keep(piece: Buffer): void {
    const room = maxKeptLineBytes - this.#line.length;
    // A copy: else a few octets would hold the whole chunk.
    if (room > 0 && piece.length > 0) this.#line = Buffer.concat([this.#line, piece.subarray(0, room)]);
  }

  #endLine(): ServerReply | undefined {
    const line = printable(this.#line.at(-1) === CR ? this.#line.subarray(0, -1) : this.#line);
    this.#line = empty;
    const [, code, separator] = REPLY_LINE.exec(line) ?? [];
    if (code === undefined) throw new ReplyMalformed(`no reply code: ${line.slice(0, 80)}`);
    if (this.#code !== undefined && this.#code !== code)
      throw new ReplyMalformed(`code ${code} in a reply that began with ${this.#code}`);
    this.#code = code;
    this.#lines.push(line.slice(4));
    if (separator !== '-') return this.#endReply(code);
    if (this.#lines.length >= maxReplyLines) throw new ReplyMalformed(`a reply of more than ${maxReplyLines} lines`);
    return undefined;
  }

  #endReply(code: string): ServerReply {
    const lines = this.#lines;
    this.#lines = [];
    this.#code = undefined;
    this.#replyBytes = 0;
    const enhanced = enhancedStatus(lines[0] ?? '', code);
    const text = bounded(lines.join(' ').trim());
    return { code: Number(code), ...(enhanced !== undefined && { enhanced }), text, lines };
  }
}

const REPLY_LINE = /^([2-5][0-9][0-9])(?:([ -])|$)/;

/** RFC 3463 §2; its class must be that of the code (RFC 2034 §4). */
function enhancedStatus(text: string, code: string): string | undefined {
  const status = /^([245])\.\d{1,3}\.\d{1,3}(?= |$)/.exec(text);
  return status?.[1] === code.charAt(0) ? status[0] : undefined;
}

/** RFC 6531 §3.7.4.1 lets replies hold UTF-8. What could deceive whoever reads a trace becomes '?'. */
function printable(bytes: Buffer): string {
  return bytes
    .toString('utf8')
    .replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (char) => (char === '\t' ? ' ' : '?'));
}

function bounded(text: string): string {
  return text.length <= maxReplyTextLength ? text : `${text.slice(0, maxReplyTextLength - 1).toWellFormed()}…`;
}

const LF = 10;
const CR = 13;
const empty = Buffer.alloc(0);
