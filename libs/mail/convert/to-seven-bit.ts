import { decodeTransfer } from '../mime/transfer-encoding.ts';
import { hasHighOctets, isSevenBit } from './content-traits.ts';
import { base64Lines, isMostlyReadable, quotedPrintable } from './encode-body.ts';
import { type Entity, readEntity, writeEntity } from './entity.ts';
import { foldLongLines } from './fold-header.ts';
import { splitMultipart } from './split-multipart.ts';

export type SevenBitResult = { ok: true; message: Buffer } | { ok: false; reason: CannotConvert };

/**
 * Why a message can't be made 7-bit:
 * - `signed`, `encrypted`: a part whose bytes something vouches for (RFC 1847 §2.1);
 * - `header`: octets over 127 or a line too long in a header, or no header that can be read;
 * - `encoding`: a transfer encoding that we don't know, or one that its type can't have (RFC 2045 §6.4);
 * - `type`: a type that is 7-bit by definition (message/partial, message/external-body);
 * - `structure`: a multipart without parts, or more parts or levels than anybody uses.
 */
export type CannotConvert = 'signed' | 'encrypted' | 'header' | 'encoding' | 'type' | 'structure';

/**
 * The same message for a server without 8BITMIME (RFC 6152 §3): no octet over 127, lines of at most 998 octets, the MIME structure kept and what is decoded from
 * each part the same bytes. Parts that are 7-bit already stay as they are, and a message that is comes back itself. Signatures over the message (DKIM) break: convert
 * first, then sign. `message` must have CRLF line ends.
 */
export function toSevenBit(message: Buffer): SevenBitResult {
  if (isSevenBit(message)) return { ok: true, message };
  try {
    const root = readEntity(message, false);
    const converted = Buffer.concat(convertEntity(root, { depth: 0, root: true }));
    return { ok: true, message: endsInCrlf(converted) ? converted : Buffer.concat([converted, CRLF]) };
  } catch (error) {
    if (error instanceof Unconvertible) return { ok: false, reason: error.reason };
    throw error;
  }
}

/** Ends the walk; never leaves this file. */
class Unconvertible extends Error {
  override readonly name = 'Unconvertible';
  readonly reason: CannotConvert;

  constructor(reason: CannotConvert) {
    super(reason);
    this.reason = reason;
  }
}

/** Each level reads all that is in it again. */
const maxDepth = 20;
const maxParts = 1000;
const identities = new Set(['7bit', '8bit', 'binary']);

interface Place {
  depth: number;
  /** A message's own header, where MIME-Version belongs; not a part's. */
  root: boolean;
}

function convertEntity(entity: Entity, place: Place): Buffer[] {
  if (place.depth > maxDepth) throw new Unconvertible('structure');
  if (hasHighOctets(entity.fields) || entity.fields.includes(0)) throw new Unconvertible('header');
  const fields = foldLongLines(entity.fields);
  if (!fields) throw new Unconvertible('header');
  const folded = { ...entity, fields };
  if (entity.type.startsWith('multipart/')) return convertMultipart(folded, place);
  if (entity.type === 'message/rfc822') return convertMessage(folded, place);
  if (isSevenBit(entity.body)) {
    // Its label may say less than is true, never more.
    return writeEntity(folded, entity.encoding === '8bit' || entity.encoding === 'binary' ? '7bit' : entity.encoding, [
      entity.body,
    ]);
  }
  if (entity.type === 'message/partial' || entity.type === 'message/external-body') throw new Unconvertible('type');
  return convertLeaf(folded, place);
}

function convertLeaf(entity: Entity, { root }: Place): Buffer[] {
  const { encoding, body } = entity;
  if (encoding === 'base64') return writeEntity(entity, 'base64', [base64Lines(decodeTransfer(body, 'base64'))]);
  if (encoding === 'quoted-printable')
    return writeEntity(entity, encoding, [quotedPrintable(decodeTransfer(body, encoding))]);
  if (!identities.has(encoding)) throw new Unconvertible('encoding');
  const isText = entity.type === '' || entity.type.startsWith('text/');
  const added = root ? missingFields(entity) : '';
  return isText && isMostlyReadable(body)
    ? writeEntity(entity, 'quoted-printable', [quotedPrintable(body)], added)
    : writeEntity(entity, 'base64', [base64Lines(body)], added);
}

/** An encoding means nothing without MIME-Version; RFC 1428 §3 has a name for a charset that nobody named. */
function missingFields({ hasMimeVersion, hasContentType }: Entity): string {
  return `${hasMimeVersion ? '' : 'MIME-Version: 1.0\r\n'}${hasContentType ? '' : 'Content-Type: text/plain; charset=unknown-8bit\r\n'}`;
}

function convertMessage(entity: Entity, { depth }: Place): Buffer[] {
  // RFC 2046 §5.2.1
  if (!identities.has(entity.encoding)) throw new Unconvertible('encoding');
  if (isSevenBit(entity.body)) return writeEntity(entity, '7bit', [entity.body]);
  return writeEntity(entity, '7bit', convertEntity(readEntity(entity.body, false), { depth: depth + 1, root: true }));
}

function convertMultipart(entity: Entity, { depth }: Place): Buffer[] {
  if (isSevenBit(entity.body)) return writeEntity(entity, '7bit', [entity.body]);
  if (entity.type === 'multipart/signed') throw new Unconvertible('signed');
  if (entity.type === 'multipart/encrypted') throw new Unconvertible('encrypted');
  if (!identities.has(entity.encoding)) throw new Unconvertible('encoding');
  if (entity.boundary === undefined || /[^\x20-\x7e]/.test(entity.boundary)) throw new Unconvertible('structure');
  const split = splitMultipart(entity.body, entity.boundary, maxParts);
  if (!split) throw new Unconvertible('structure');
  // RFC 2046 §5.1.1: what stands before and after the parts is to be ignored.
  const body: Buffer[] = isSevenBit(split.preamble) ? [split.preamble] : [];
  // RFC 2046 §5.1.5
  const fallbackType = entity.type === 'multipart/digest' ? 'message/rfc822' : '';
  for (const [at, part] of split.parts.entries()) {
    body.push(split.delimiters[at] ?? CRLF);
    if (isSevenBit(part)) body.push(part);
    else body.push(...convertEntity(readEntity(part, true, fallbackType), { depth: depth + 1, root: false }));
  }
  body.push(split.end);
  if (isSevenBit(split.epilogue)) body.push(split.epilogue);
  return writeEntity(entity, '7bit', body);
}

const CRLF = Buffer.from('\r\n');
const endsInCrlf = (bytes: Buffer): boolean => bytes.subarray(-2).equals(CRLF);
