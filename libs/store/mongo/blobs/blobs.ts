import type { Registry } from 'prom-client';
import { idFloor } from '../../../blobs/age.ts';
import type { Blobs } from '../../../blobs/port.ts';
import { uploadMemory } from '../../../blobs/upload-memory.ts';
import { isId, newId } from '../../../runtime/ids.ts';
import { NotFound, StoreFull } from '../../errors.ts';
import type { MongoDatabase } from '../database.ts';
import { Room } from '../room.ts';
import { asStoreErrors } from '../write-errors.ts';
import { type BlobCollections, chunkIndex } from './documents.ts';
import { readBlob } from './read.ts';
import { removeBlob, writeBlob } from './write.ts';

/** Bodies in GridFS, in the database of the mail. docs/decisions/blobs-in-gridfs-and-s3.md says why not by the driver's own bucket. */
export function mongoBlobs(
  collections: Pick<MongoDatabase, 'db' | keyof BlobCollections>,
  { metrics, room = new Room(collections.db) }: { metrics?: Registry | undefined; room?: Pick<Room, 'isFull'> } = {},
): Blobs {
  const memory = uploadMemory(metrics);
  return {
    async put(bytes, signal) {
      if (room.isFull) throw new StoreFull('the disk of a member of MongoDB is nearly full');
      const ref = newId();
      const hold = memory.hold(ref);
      return { ref, ...(await writeBlob(collections, { ref, hold, signal }, bytes)) };
    },
    read: (ref, range) => read(collections, ref, range),
    async remove(ref) {
      // What could never be there is removed already.
      if (isId(ref)) await removeBlob(collections, ref);
    },
    list: (options) => list(collections, options),
  };
}

async function* read(
  collections: BlobCollections,
  ref: string,
  range: { start: number; end: number } | undefined,
): AsyncGenerator<Uint8Array> {
  if (!isId(ref)) throw new NotFound('body');
  if (range !== undefined && range.end <= range.start) return;
  yield* readBlob(collections, ref, range);
}

/** Whatever has a chunk 0, in the order of its age, which its name tells: also what a crash left without a file document, which no row names. */
async function list(
  { blobChunks }: BlobCollections,
  { olderThanMs, limit, cursor }: Parameters<Blobs['list']>[0],
): ReturnType<Blobs['list']> {
  const before = idFloor(Date.now() - olderThanMs);
  const found = await asStoreErrors(false, () =>
    blobChunks
      .find(
        { files_id: { $lt: before, $gt: cursor ?? '' }, n: 0 },
        { projection: { _id: 0, files_id: 1 }, hint: chunkIndex.name },
      )
      .sort({ files_id: 1 })
      .limit(limit)
      .toArray(),
  );
  const refs = found.map(({ files_id }) => files_id);
  const last = refs.at(-1);
  return refs.length < limit || last === undefined ? { refs } : { refs, cursor: last };
}
