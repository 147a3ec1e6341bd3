import { decodeTransfer, transferDecoder } from './transfer-encoding.ts';

/** What must be known of a part to decode it: an `Attachment` is one. */
export type EncodedPart = { start: number; end: number; encoding: string };

/** The bytes of a part; may share memory with `raw`. */
export function decodePart(raw: Uint8Array, part: EncodedPart): Buffer {
  return decodeTransfer(raw.subarray(part.start, part.end), part.encoding);
}

/**
 * Decodes a part while its bytes are read: `encoded` gives the raw message from `part.start` to `part.end`, in chunks of any size.
 * Holds one chunk at a time.
 */
export async function* decodePartStream(
  encoded: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  encoding: string,
): AsyncGenerator<Buffer> {
  const decoder = transferDecoder(encoding);
  for await (const chunk of encoded) {
    const decoded = decoder.push(chunk);
    if (decoded.length > 0) yield decoded;
  }
  const rest = decoder.end();
  if (rest.length > 0) yield rest;
}

/** A part of a message in memory, decoded in chunks of about `chunkBytes`. */
export async function* decodePartChunks(
  raw: Uint8Array,
  part: EncodedPart,
  chunkBytes = 64 * 1024,
): AsyncGenerator<Buffer> {
  yield* decodePartStream(slices(raw, part, chunkBytes), part.encoding);
}

function* slices(raw: Uint8Array, part: EncodedPart, chunkBytes: number): Generator<Uint8Array> {
  for (let at = part.start; at < part.end; at += chunkBytes)
    yield raw.subarray(at, Math.min(at + chunkBytes, part.end));
}
