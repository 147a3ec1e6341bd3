import { isId, newId } from '../../runtime/ids.ts';
import { NotFound } from '../../store/errors.ts';
import type { BlobsOptions } from '../open.ts';
import type { Blobs } from '../port.ts';
import { uploadMemory } from '../upload-memory.ts';
import { type S3Request, s3Client } from './client.ts';
import { isNoSuchObject } from './failure.ts';
import { isUnfinished, listPage, removeUnfinished } from './list.ts';
import { bodyKey } from './names.ts';
import { tryS3 } from './probe.ts';
import { readObject } from './read.ts';
import { upload } from './upload.ts';

/** Bodies as objects of a bucket, tried out before it resolves. @throws UnusableBlobStore, which says what to do */
export async function openS3Blobs(options: BlobsOptions): Promise<Blobs> {
  const blobs = s3Blobs(options);
  await tryS3(s3Client(options));
  return blobs;
}

/** Bodies as objects `bodies/<UUIDv7>` of a bucket, without a look whether it is there. @throws UnusableBlobStore when the options are wrong in themselves */
export function s3Blobs(options: BlobsOptions): Blobs {
  const request = s3Client(options);
  const memory = uploadMemory(options.metrics);
  return {
    async put(bytes, signal) {
      const ref = newId();
      const hold = memory.hold(ref);
      return { ref, ...(await upload({ request, log: options.log, hold }, bodyKey(ref), bytes, signal)) };
    },
    read: (ref, range) => read(request, ref, range),
    async remove(ref) {
      if (isUnfinished(ref)) return removeUnfinished(request, ref);
      // What could never be there is removed already.
      if (isId(ref)) await removeObject(request, bodyKey(ref));
    },
    list: (page) => listPage(request, page),
  };
}

async function* read(
  request: S3Request,
  ref: string,
  range: { start: number; end: number } | undefined,
): AsyncGenerator<Uint8Array> {
  if (!isId(ref)) throw new NotFound('body');
  if (range !== undefined && range.end <= range.start) return;
  yield* readObject(request, bodyKey(ref), ref, range);
}

async function removeObject(request: S3Request, key: string): Promise<void> {
  try {
    await request('removal', (s3) => s3.deleteObject(key), { tries: 3 });
  } catch (error) {
    if (!isNoSuchObject(error)) throw error;
  }
}
