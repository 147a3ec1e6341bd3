import { MAX_HEADER_BYTES } from '../mime/limits.ts';
import { type RawField, rawFields } from './header-fields.ts';
import { RelaxedBodyHash } from './relaxed-body.ts';

/** A message as it goes on the wire (before dot-stuffing), whole or in pieces of any size. */
export type MessageBytes = Uint8Array | AsyncIterable<Uint8Array>;

/** What signatures are made from. */
export interface MessageDigest {
  fields: readonly RawField[];
  /** Base64. */
  bodyHash: string;
}

/** `malformedHeader`: a line that is no field, or no end within 256 KiB. */
export type Undigested = { unsigned: 'malformedHeader' };

/** The fields of a message and the hash of its body; memory beside a message in pieces is its header and one piece. */
export async function digestMessage(message: MessageBytes, signal?: AbortSignal): Promise<MessageDigest | Undigested> {
  const body = new RelaxedBodyHash();
  let header: Buffer = Buffer.alloc(0);
  let fields: readonly RawField[] | undefined;
  for await (const piece of message instanceof Uint8Array ? slices(message) : message) {
    signal?.throwIfAborted();
    if (fields !== undefined) {
      body.update(piece);
      continue;
    }
    header = header.length === 0 ? asBuffer(piece) : Buffer.concat([header, piece]);
    const end = endOfHeader(header);
    if (end === undefined) {
      if (header.length > MAX_HEADER_BYTES) return malformed;
      continue;
    }
    fields = end.at > MAX_HEADER_BYTES ? undefined : rawFields(header.toString('latin1', 0, end.at));
    if (fields === undefined) return malformed;
    body.update(header.subarray(end.bodyAt));
  }
  // RFC 5322 §3.5: without an empty line all of it is header.
  fields ??= rawFields(header.toString('latin1').replace(/\r\n$/, ''));
  return fields === undefined ? malformed : { fields, bodyHash: body.digest() };
}

const malformed: Undigested = { unsigned: 'malformedHeader' };

const pieceBytes = 1024 * 1024;

/** Between pieces of a large message others get their turn: a piece takes a few ms. */
async function* slices(message: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < message.length; at += pieceBytes) {
    if (at > 0) await new Promise((resolve) => setImmediate(resolve));
    yield message.subarray(at, at + pieceBytes);
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const CRLF_CRLF = Buffer.from('\r\n\r\n');
const CRLF = Buffer.from('\r\n');

function endOfHeader(bytes: Buffer): { at: number; bodyAt: number } | undefined {
  if (bytes.subarray(0, 2).equals(CRLF)) return { at: 0, bodyAt: 2 };
  const at = bytes.indexOf(CRLF_CRLF);
  return at === -1 ? undefined : { at, bodyAt: at + CRLF_CRLF.length };
}
