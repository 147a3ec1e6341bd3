import { createHash } from 'node:crypto';
import { NotFound, StoreUnavailable } from '../../store/errors.ts';
import { BlobDamaged } from '../errors.ts';
import { requestTimeoutMs, type S3Request } from './client.ts';
import { isNoSuchObject, S3Failure, s3Error } from './failure.ts';

/** How long a body may stand still while it is read. */
const idleMs = 30_000;

export interface Range {
  start: number;
  end: number;
}

/** Streams an object. One that is read whole and was put in one request is checked against its SHA-256. */
export async function* readObject(
  request: S3Request,
  key: string,
  ref: string,
  range: Range | undefined,
): AsyncGenerator<Uint8Array> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new DOMException('S3 is silent', 'TimeoutError')), requestTimeoutMs);
  try {
    const response = await open(request, key, range, stop.signal);
    if (response === undefined || response.body === null) return;
    const expected = expectation(response, range);
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for await (const chunk of withIdleLimit(response.body, timer, stop)) {
      if (expected.sha256 !== undefined) hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
    if (expected.sizeBytes !== undefined && sizeBytes !== expected.sizeBytes) {
      throw new StoreUnavailable('S3 read: the answer ended early');
    }
    if (expected.sha256 !== undefined && hash.digest('hex') !== expected.sha256) {
      throw new BlobDamaged(ref, 'its SHA-256 is another');
    }
  } finally {
    clearTimeout(timer);
    // Also of a reader that has gone: the connection is free again.
    stop.abort();
  }
}

/** Undefined: the range lies past the end. */
async function open(
  request: S3Request,
  key: string,
  range: Range | undefined,
  limit: AbortSignal,
): Promise<Response | undefined> {
  try {
    const response = await request(
      'read',
      (s3) => (range === undefined ? s3.getObjectRaw(key) : s3.getObjectRaw(key, false, range.start, range.end)),
      { tries: 3, limit },
    );
    if (range !== undefined && response.status !== 206)
      throw new S3Failure('read of a range', response.status, 'NoRange');
    return response;
  } catch (error) {
    if (isNoSuchObject(error)) throw new NotFound('body');
    if (error instanceof S3Failure && error.status === 416) return undefined;
    throw error;
  }
}

function expectation(response: Response, range: Range | undefined): { sizeBytes?: number; sha256?: string } {
  const length = response.headers.get('content-length');
  const sha256 = response.headers.get('x-amz-meta-sha256');
  return {
    ...(length === null ? {} : { sizeBytes: Number(length) }),
    ...(range !== undefined || sha256 === null ? {} : { sha256 }),
  };
}

/** Only the wait for S3 is limited: a reader may take its time. */
async function* withIdleLimit(
  body: ReadableStream<Uint8Array>,
  first: NodeJS.Timeout,
  stop: AbortController,
): AsyncGenerator<Uint8Array> {
  let timer = first;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      yield value;
      timer = setTimeout(() => stop.abort(new DOMException('S3 is silent', 'TimeoutError')), idleMs);
    }
  } catch (error) {
    throw s3Error('read', error);
  } finally {
    clearTimeout(timer);
  }
}
