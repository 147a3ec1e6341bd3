import { z } from 'zod';
import { isId } from '../../runtime/ids.ts';
import { idFloor } from '../age.ts';
import type { Blobs } from '../port.ts';
import type { S3Request } from './client.ts';
import { S3Failure } from './failure.ts';
import { bodyKey, bodyPrefix } from './names.ts';
import { abortUpload } from './upload.ts';

/** Cursor of the page after the last object. */
const unfinishedCursor = 'unfinished';

/**
 * References in the order of their age, which their names tell; last come the uploads that a crash left half done, as references that no row has ever named:
 * to remove one aborts it.
 */
export async function listPage(
  request: S3Request,
  { olderThanMs, limit, cursor }: Parameters<Blobs['list']>[0],
): ReturnType<Blobs['list']> {
  const before = idFloor(Date.now() - olderThanMs);
  if (cursor === unfinishedCursor) return { refs: await unfinished(request, before, limit) };
  const after = cursor === undefined ? {} : { 'start-after': bodyKey(cursor) };
  const page = await request(
    'list',
    (s3) => s3.listObjectsPaged('/', bodyPrefix, Math.min(limit, 1_000), undefined, after),
    {
      tries: 3,
    },
  );
  if (page?.objects === null || page?.objects === undefined) throw new S3Failure('list', 404, 'NoSuchBucket');
  const names = page.objects.map(({ Key }) => Key.slice(bodyPrefix.length));
  const refs = names.filter((name) => isId(name) && name < before);
  const last = names.at(-1);
  const hasMore = page.nextContinuationToken !== undefined && last !== undefined && last < before;
  return { refs, cursor: hasMore ? last : unfinishedCursor };
}

const refPattern = /^([0-9a-f-]{36})\?upload=(.{1,2048})$/;

export function isUnfinished(ref: string): boolean {
  return refPattern.test(ref);
}

export async function removeUnfinished(request: S3Request, ref: string): Promise<void> {
  const [, id = '', uploadId = ''] = refPattern.exec(ref) ?? [];
  await abortUpload(request, bodyKey(id), uploadId);
}

const uploadSchema = z.object({ Key: z.string(), UploadId: z.string() });
const answerSchema = z.object({
  ListMultipartUploadsResult: z.object({ Upload: z.union([uploadSchema, z.array(uploadSchema)]).optional() }),
});

/** The oldest ones: what is past the limit comes when these have gone. */
async function unfinished(request: S3Request, before: string, limit: number): Promise<string[]> {
  const query = { prefix: bodyPrefix, 'max-uploads': Math.min(limit, 1_000) };
  let answer: unknown;
  try {
    answer = await request('list of uploads', (s3) => s3.listMultipartUploads('/', bodyPrefix, 'GET', query), {
      tries: 3,
    });
  } catch (error) {
    // Servers that end old uploads by themselves may have no list of them.
    if (error instanceof S3Failure && (error.status === 501 || error.code === 'NotImplemented')) return [];
    throw error;
  }
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) throw new S3Failure('list of uploads', 200, 'UnexpectedAnswer');
  return [parsed.data.ListMultipartUploadsResult.Upload ?? []]
    .flat()
    .map(({ Key, UploadId }) => ({ id: Key.slice(bodyPrefix.length), UploadId }))
    .filter(({ id }) => isId(id) && id < before)
    .map(({ id, UploadId }) => `${id}?upload=${UploadId}`);
}
