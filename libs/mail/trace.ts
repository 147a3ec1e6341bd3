/**
 * What stands before the received bytes when a message is read raw: Return-Path, made at final delivery from the envelope (RFC 5321 §4.4), then the
 * trace that acceptance has put in front (Received lines, each ended by CRLF).
 */
export function rawPrefix(reversePath: string, trace: string): Buffer {
  return Buffer.from(`Return-Path: <${reversePath}>\r\n${trace}`, 'utf8');
}

/** Bytes of `rawPrefix(…)`, without making it. */
export function rawPrefixBytes(reversePath: string, trace: string): number {
  return returnPathFrameBytes + Buffer.byteLength(reversePath) + Buffer.byteLength(trace);
}

/**
 * The fields of a trace that say something of the message itself: what a submission server has added because it was missing (Date, Message-ID; RFC 6409
 * §8). The others tell of its way. '' for most messages.
 */
export function addedFields(trace: string): string {
  return trace.replace(/^(?:Received|Return-Path|Waypost-Forwarded):.*\r\n(?:[ \t].*\r\n)*/gim, '');
}

const returnPathFrameBytes = 'Return-Path: <>\r\n'.length;
