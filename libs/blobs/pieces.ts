import type { ByteHold } from '../runtime/held-bytes.ts';
import { StoreBusy } from '../store/errors.ts';

/**
 * The bytes in pieces of `pieceBytes`; the last one may be shorter, and of nothing there is none. A piece is good until the next one is asked for: all
 * have the same memory. What is gathered is held in `hold`, which the caller releases; @throws StoreBusy when there is no room for more.
 */
export async function* inPieces(
  bytes: AsyncIterable<Uint8Array>,
  { pieceBytes, hold, signal }: { pieceBytes: number; hold: ByteHold; signal: AbortSignal },
): AsyncGenerator<Buffer<ArrayBuffer>, void> {
  let piece = Buffer.allocUnsafeSlow(0);
  let length = 0;
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + pieceBytes - length);
      if (length + part.length > piece.length) piece = larger(piece, length + part.length, pieceBytes, hold);
      piece.set(part, length);
      length += part.length;
      at += part.length;
      if (length < pieceBytes) continue;
      yield piece;
      signal.throwIfAborted();
      length = 0;
    }
  }
  signal.throwIfAborted();
  if (length > 0) yield piece.subarray(0, length);
}

const leastBytes = 256 * 1024;

function larger(
  piece: Buffer<ArrayBuffer>,
  neededBytes: number,
  pieceBytes: number,
  hold: ByteHold,
): Buffer<ArrayBuffer> {
  const doubled = Math.max(leastBytes, 2 ** Math.ceil(Math.log2(neededBytes)));
  const grownBytes = Math.min(pieceBytes, doubled);
  if (hold.grow(grownBytes - piece.length) !== 'room') {
    throw new StoreBusy('too many large bodies are on their way to the blob store');
  }
  const grown = Buffer.allocUnsafeSlow(grownBytes);
  piece.copy(grown);
  return grown;
}
