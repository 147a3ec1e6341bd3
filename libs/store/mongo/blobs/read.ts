import { createHash } from 'node:crypto';
import { BlobDamaged } from '../../../blobs/errors.ts';
import { NotFound } from '../../errors.ts';
import { asStoreErrors } from '../write-errors.ts';
import type { BlobChunkDocument, BlobCollections, BlobFileDocument } from './documents.ts';

/** Chunks of one answer, which is what a reader holds in memory. */
const chunksPerRead = 4;

/**
 * Reads some chunks at a time, each time by a query of its own: no cursor is open while the reader is busy, none is left when it goes, and an election in
 * between is the driver's to wait for. Every chunk's length is checked; of what is read whole also the SHA-256.
 */
export async function* readBlob(
  collections: BlobCollections,
  ref: string,
  range: { start: number; end: number } | undefined,
): AsyncGenerator<Uint8Array> {
  const file = await fileOf(collections, ref);
  const start = range?.start ?? 0;
  const end = Math.min(range?.end ?? file.length, file.length);
  const hash = createHash('sha256');
  const last = Math.ceil(end / file.chunkSize);
  for (let n = Math.floor(start / file.chunkSize); n < last; n += chunksPerRead) {
    const chunks = await chunksFrom(collections, ref, n, Math.min(n + chunksPerRead, last));
    for (const [index, chunk] of chunks.entries()) {
      const bytes = checked(file, chunk, n + index);
      if (range === undefined) hash.update(bytes);
      const at = chunk.n * file.chunkSize;
      yield bytes.subarray(Math.max(0, start - at), end - at);
    }
    if (n + chunks.length < Math.min(n + chunksPerRead, last)) {
      // Removed since: then it isn't there, and not damaged.
      await fileOf(collections, ref);
      throw new BlobDamaged(ref, `chunk ${n + chunks.length} is missing`);
    }
  }
  if (range === undefined && hash.digest('hex') !== file.metadata.sha256) {
    throw new BlobDamaged(ref, 'its SHA-256 is another');
  }
}

async function fileOf({ blobFiles }: BlobCollections, ref: string): Promise<BlobFileDocument> {
  const file = await asStoreErrors(false, () => blobFiles.findOne({ _id: ref }));
  if (file === null) throw new NotFound('body');
  return file;
}

function chunksFrom(
  { blobChunks }: BlobCollections,
  ref: string,
  from: number,
  to: number,
): Promise<BlobChunkDocument[]> {
  return asStoreErrors(false, () =>
    blobChunks
      .find({ files_id: ref, n: { $gte: from, $lt: to } })
      .sort({ n: 1 })
      .limit(chunksPerRead)
      .toArray(),
  );
}

function checked(file: BlobFileDocument, { n, data }: BlobChunkDocument, expected: number): Uint8Array {
  if (n !== expected) throw new BlobDamaged(file._id, `chunk ${expected} is missing`);
  const bytes = data.value();
  const length = Math.min(file.chunkSize, file.length - n * file.chunkSize);
  if (bytes.length !== length)
    throw new BlobDamaged(file._id, `chunk ${n} has ${bytes.length} bytes in place of ${length}`);
  return bytes;
}
