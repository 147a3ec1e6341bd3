/** The body of a multipart (RFC 2046 §5.1): what stands before, between and after its delimiter lines. */
export interface SplitMultipart {
  preamble: Buffer;
  parts: Buffer[];
  /** The delimiter before each part, as it stands: the CRLF in front of it, its line and that line's CRLF. */
  delimiters: Buffer[];
  /** From the closing delimiter on; empty when there is none. */
  end: Buffer;
  epilogue: Buffer;
}

/** Undefined when there is no delimiter at all, or more than `maxParts`. */
export function splitMultipart(body: Buffer, boundary: string, maxParts: number): SplitMultipart | undefined {
  const dashBoundary = Buffer.from(`--${boundary}`, 'latin1');
  const split: SplitMultipart = { preamble: none, parts: [], delimiters: [], end: none, epilogue: none };
  let contentStart = 0;
  for (let at = body.indexOf(dashBoundary); at !== -1; at = body.indexOf(dashBoundary, at + 1)) {
    const delimiter = delimiterAt(body, at, at + dashBoundary.length);
    if (!delimiter) continue;
    // A part may be without a single octet: then the CRLF before the delimiter is the one of the line above.
    const content = body.subarray(contentStart, Math.max(contentStart, delimiter.start));
    const line = body.subarray(Math.max(contentStart, delimiter.start), delimiter.end);
    if (split.delimiters.length === 0) split.preamble = content;
    else split.parts.push(content);
    if (delimiter.closing) return { ...split, end: line, epilogue: body.subarray(delimiter.end) };
    split.delimiters.push(line);
    if (split.delimiters.length > maxParts) return undefined;
    contentStart = delimiter.end;
    at = delimiter.end - 1;
  }
  if (split.delimiters.length === 0) return undefined;
  split.parts.push(body.subarray(contentStart));
  return split;
}

interface Delimiter {
  start: number;
  end: number;
  closing: boolean;
}

/** The delimiter line whose boundary ends at `boundaryEnd`: alone on its line but for blanks (RFC 2046 §5.1.1). */
function delimiterAt(body: Buffer, at: number, boundaryEnd: number): Delimiter | undefined {
  if (at > 0 && body[at - 1] !== LF) return undefined;
  const closing = body[boundaryEnd] === HYPHEN && body[boundaryEnd + 1] === HYPHEN;
  let end = closing ? boundaryEnd + 2 : boundaryEnd;
  while (body[end] === SPACE || body[end] === TAB) end++;
  if (end < body.length && !(body[end] === CR && body[end + 1] === LF)) return undefined;
  // The CRLF after the closing one belongs to the epilogue, which begins with it.
  return { start: Math.max(0, at - 2), end: closing ? end : Math.min(end + 2, body.length), closing };
}

const none = Buffer.alloc(0);
const CR = 13;
const LF = 10;
const TAB = 9;
const SPACE = 32;
const HYPHEN = 45;
