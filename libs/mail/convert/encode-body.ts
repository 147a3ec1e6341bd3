/**
 * Bytes as quoted-printable (RFC 2045 §6.7) in lines of at most 76. CRLF stays a line end; a CR or LF on its own is encoded like any octet that isn't printable, so
 * decoding gives back the very bytes.
 */
export function quotedPrintable(bytes: Buffer): Buffer {
  // Longest: each octet as three, and a soft line break for each 25 of them.
  const out = Buffer.allocUnsafe(bytes.length * 3 + Math.ceil(bytes.length / 24) * 3 + 3);
  let length = 0;
  let width = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === CR && bytes[at + 1] === LF) {
      length += out.write('\r\n', length, 'latin1');
      width = 0;
      at++;
      continue;
    }
    const atLineEnd = at === bytes.length - 1 || (bytes[at + 1] === CR && bytes[at + 2] === LF);
    const blank = byte === SPACE || byte === TAB;
    const plain = (blank && !atLineEnd) || (byte > SPACE && byte < 127 && byte !== EQUALS);
    // The last of a line needs no room for the '=' of a soft line break, but may well have it.
    let broken = false;
    if (width + (plain ? 1 : 3) > 75) {
      length += out.write('=\r\n', length, 'latin1');
      width = 0;
      broken = true;
    }
    // A line that we begin must not look like a delimiter of a multipart around it.
    if (plain && !(broken && byte === HYPHEN)) {
      out[length++] = byte;
      width++;
    } else {
      length += out.write(`=${byte.toString(16).toUpperCase().padStart(2, '0')}`, length, 'latin1');
      width += 3;
    }
  }
  return out.subarray(0, length);
}

/** RFC 2045 §6.8: lines of 76, CRLF between them. */
export function base64Lines(bytes: Buffer): Buffer {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 57)
    lines.push(bytes.toString('base64', at, Math.min(at + 57, bytes.length)));
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

/** For text: quoted-printable stays readable, as long as it isn't much longer than base64. */
export function isMostlyReadable(bytes: Buffer): boolean {
  let odd = 0;
  for (const byte of bytes) if (byte > 126 || byte === 0) odd++;
  return odd * 6 <= bytes.length;
}

const CR = 13;
const LF = 10;
const TAB = 9;
const SPACE = 32;
const HYPHEN = 45;
const EQUALS = 61;
