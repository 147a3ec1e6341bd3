import { mongoBlobs } from '../../libs/store/mongo/blobs/blobs.ts';
import type { MongoStore } from '../../libs/store/mongo/open.ts';
import { collect, streamOf } from './blobs.ts';

/** Every operation of bodies in GridFS, with and without what it may leave out. */
export async function useBlobs({ database }: MongoStore): Promise<void> {
  const blobs = mongoBlobs(database);
  const { ref } = await blobs.put(streamOf([Buffer.alloc(3_000_000)]), new AbortController().signal);
  await collect(blobs.read(ref));
  await collect(blobs.read(ref, { start: 500_000, end: 600_000 }));
  const { cursor = '' } = await blobs.list({ olderThanMs: -10_000, limit: 1 });
  await blobs.list({ olderThanMs: -10_000, limit: 1, cursor });
  await blobs.remove(ref);
}
