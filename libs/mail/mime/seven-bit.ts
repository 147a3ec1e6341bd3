/** RFC 2045 §2.7: no octet over 127, no NUL, lines of at most 998 octets that end in CRLF. */
export function isSevenBitText(bytes: Uint8Array): boolean {
  let lineStart = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte === 0 || byte > 127) return false;
    if (byte === 0x0a) {
      if (bytes[i - 1] !== 0x0d) return false;
      lineStart = i + 1;
    } else if (bytes[i - 1] === 0x0d && i > 0) return false;
    else if (i - lineStart >= 999) return false;
  }
  // A CR at the very end would be a bare one before whatever follows.
  return bytes.at(-1) !== 0x0d;
}

/**
 * Text as quoted-printable (RFC 2045 §6.7): printable ASCII in lines of at most 76. Line ends become CRLF; so it is for text, not for
 * bytes whose bare CR or LF mean something.
 */
export function encodeQuotedPrintable(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => encodeLine(Buffer.from(line, 'utf8')))
    .join('\r\n');
}

function encodeLine(bytes: Buffer): string {
  let encoded = '';
  let width = 0;
  for (const [i, byte] of bytes.entries()) {
    const isBlankAtEnd = (byte === 0x20 || byte === 0x09) && i === bytes.length - 1;
    const isPlain = (byte >= 0x20 && byte <= 0x7e && byte !== 0x3d) || byte === 0x09;
    const piece =
      isPlain && !isBlankAtEnd ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    if (width + piece.length > 75) {
      encoded += '=\r\n';
      width = 0;
    }
    encoded += piece;
    width += piece.length;
  }
  return encoded;
}
