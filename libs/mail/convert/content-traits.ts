import { readHeaderBlock } from '../mime/header-block.ts';

/** What decides how a message may travel. */
export interface ContentTraits {
  /** Octets over 127 in the header section (RFC 6532): only for servers with SMTPUTF8. */
  utf8Header: boolean;
  /** The message as a whole isn't 7-bit (RFC 2045 §2.7): octets over 127 or NULs, or lines of more than 998 octets. */
  eightBit: boolean;
}

/** `message` must have CRLF line ends. One pass. */
export function contentTraits(message: Buffer): ContentTraits {
  if (isSevenBit(message)) return { utf8Header: false, eightBit: false };
  const { bodyStart } = readHeaderBlock(message, 0);
  return { utf8Header: hasHighOctets(message.subarray(0, bodyStart)), eightBit: true };
}

/** RFC 2045 §2.7, but for lone CRs and LFs: those make it false as well. */
export function isSevenBit(bytes: Buffer): boolean {
  let lineStart = 0;
  let previous = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 0 || byte > 127) return false;
    if (byte === LF) {
      if (previous !== CR) return false;
      lineStart = at + 1;
    } else if (previous === CR) return false;
    else if (byte !== CR && at - lineStart >= maxLineBytes) return false;
    previous = byte;
  }
  return previous !== CR;
}

export function hasHighOctets(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte > 127) return true;
  return false;
}

/** RFC 5322 §2.1.1, without the CRLF. */
const maxLineBytes = 998;
const CR = 13;
const LF = 10;
