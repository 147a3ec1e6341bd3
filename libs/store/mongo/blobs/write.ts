import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Binary, ObjectId } from 'mongodb';
import { inPieces } from '../../../blobs/pieces.ts';
import type { ByteHold } from '../../../runtime/held-bytes.ts';
import { isStoreTrouble, StoreFull } from '../../errors.ts';
import { durable } from '../transaction.ts';
import { documentErrors, duplicateKey, isDuplicateKey, storeError } from '../write-errors.ts';
import type { BlobChunkDocument, BlobCollections } from './documents.ts';

/** What GridFS takes by default: a chunk and its fields fit 256 KiB. */
const chunkBytes = 255 * 1024;
/** Chunks of one insert, which is what a body holds in memory on its way. */
const chunksPerInsert = 4;
/** The driver repeats each write once, within 5 s; an election takes longer. */
const tries = 4;
const firstPauseMs = 250;

/**
 * Writes chunks, then the file document; each write is acknowledged by a majority with its journal before the next, so that what a file document names is there. When
 * it fails the chunks are removed, as far as MongoDB can be reached; the rest is collected.
 */
export async function writeBlob(
  collections: BlobCollections,
  { ref, hold, signal }: { ref: string; hold: ByteHold; signal: AbortSignal },
  bytes: AsyncIterable<Uint8Array>,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let n = 0;
  try {
    for await (const piece of inPieces(bytes, { pieceBytes: chunkBytes * chunksPerInsert, hold, signal })) {
      hash.update(piece);
      const chunks = chunksOf(ref, n, piece);
      await repeating(() => insertChunks(collections, chunks), signal);
      n += chunks.length;
      sizeBytes += piece.length;
    }
    if (n === 0) await repeating(() => insertChunks(collections, chunksOf(ref, 0, Buffer.alloc(0))), signal);
    const sha256 = hash.digest('hex');
    await repeating(() => insertFile(collections, { ref, sizeBytes, sha256 }), signal);
    return { sizeBytes, sha256 };
  } catch (error) {
    // Where MongoDB itself is in trouble a wait for it would only keep the client longer.
    if (!isStoreTrouble(error) || error instanceof StoreFull) {
      await removeBlob(collections, ref).catch(() => undefined);
    }
    throw error;
  } finally {
    hold.release();
  }
}

/** The file document first: what has none isn't there. Chunk 0 last: by it the list finds what a crash left of the others. */
export async function removeBlob({ blobFiles, blobChunks }: BlobCollections, ref: string): Promise<void> {
  try {
    await blobFiles.deleteOne({ _id: ref }, { writeConcern: durable });
    await blobChunks.deleteMany({ files_id: ref, n: { $gt: 0 } }, { writeConcern: durable });
    await blobChunks.deleteMany({ files_id: ref, n: 0 }, { writeConcern: durable });
  } catch (error) {
    throw storeError(error, true);
  }
}

function chunksOf(ref: string, first: number, piece: Buffer): BlobChunkDocument[] {
  const chunks: BlobChunkDocument[] = [];
  for (let at = 0; at === 0 || at < piece.length; at += chunkBytes) {
    const data = new Binary(piece.subarray(at, at + chunkBytes));
    chunks.push({ _id: new ObjectId(), files_id: ref, n: first + chunks.length, data });
  }
  return chunks;
}

/** A repeat finds those that an earlier try has written: their ids are the same. */
async function insertChunks({ blobChunks }: BlobCollections, documents: readonly BlobChunkDocument[]): Promise<void> {
  try {
    await blobChunks.insertMany(documents, { ordered: false, writeConcern: durable });
  } catch (error) {
    const refused = documentErrors(error);
    if (refused === undefined || refused.some(({ code }) => code !== duplicateKey)) throw error;
  }
}

async function insertFile(
  { blobFiles }: BlobCollections,
  { ref, sizeBytes, sha256 }: { ref: string; sizeBytes: number; sha256: string },
): Promise<void> {
  const document = {
    _id: ref,
    filename: ref,
    length: sizeBytes,
    chunkSize: chunkBytes,
    uploadDate: new Date(),
    metadata: { v: 1, sha256 },
  } as const;
  try {
    await blobFiles.insertOne(document, { writeConcern: durable });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

async function repeating(write: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    signal.throwIfAborted();
    try {
      return await write();
    } catch (error) {
      const told = storeError(error, true);
      if (tried >= tries || !isStoreTrouble(told) || told instanceof StoreFull) throw told;
    }
    await wait(firstPauseMs * 2 ** tried, undefined, { signal });
  }
}
