import { createHash } from 'node:crypto';
import type { Logger } from '../../ops/logger.ts';
import type { ByteHold } from '../../runtime/held-bytes.ts';
import { inPieces } from '../pieces.ts';
import { pieceTimeoutMs, requestTimeoutMs, type S3Request } from './client.ts';
import { S3Failure } from './failure.ts';

/** The least that S3 takes as a part which isn't the last, and what an upload holds in memory. */
const partBytes = 5 * 1024 * 1024;
/** Of a request that may be repeated: a busy or restarting server has some seconds. */
const tries = 4;

interface Part {
  partNumber: number;
  etag: string;
}

/**
 * Puts a body whose size isn't known before: one object of one request when it is small, else a multipart upload, part after part. Resolves when S3 has said that
 * the object is there, which it says only when it is durable. When it fails what was sent is removed, as far as S3 can be reached; the rest is collected.
 */
export async function upload(
  { request, log, hold }: { request: S3Request; log: Logger | undefined; hold: ByteHold },
  key: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let multipart: Multipart | undefined;
  let small = Buffer.alloc(0);
  let isSent = false;
  try {
    for await (const piece of inPieces(bytes, { pieceBytes: partBytes, hold, signal })) {
      hash.update(piece);
      sizeBytes += piece.length;
      if (multipart === undefined && piece.length < partBytes) {
        small = piece;
        continue;
      }
      multipart ??= await Multipart.begin(request, key, signal);
      isSent = true;
      await multipart.add(piece, signal);
    }
    const sha256 = hash.digest('hex');
    isSent = true;
    if (multipart === undefined) await putWhole(request, key, small, sha256, signal);
    else await multipart.complete(sizeBytes, signal);
    return { sizeBytes, sha256 };
  } catch (error) {
    if (isSent) await removeTraces(request, log, key, multipart);
    throw error;
  } finally {
    hold.release();
  }
}

/** Safe to repeat: the same bytes at the same key. */
async function putWhole(
  request: S3Request,
  key: string,
  bytes: Buffer<ArrayBuffer>,
  sha256: string,
  signal: AbortSignal,
): Promise<void> {
  const headers = { 'x-amz-meta-sha256': sha256 };
  await request('put', (s3) => s3.putObject(key, bytes, undefined, undefined, headers), {
    timeoutMs: pieceTimeoutMs,
    tries,
    signal,
  });
}

class Multipart {
  readonly #request: S3Request;
  readonly #key: string;
  readonly #uploadId: string;
  readonly #parts: Part[] = [];

  /** Not repeated when its answer is lost: each would be an upload of its own. */
  static async begin(request: S3Request, key: string, signal: AbortSignal): Promise<Multipart> {
    const uploadId = await request('begin of an upload', (s3) => s3.getMultipartUploadId(key), { signal });
    return new Multipart(request, key, uploadId);
  }

  private constructor(request: S3Request, key: string, uploadId: string) {
    this.#request = request;
    this.#key = key;
    this.#uploadId = uploadId;
  }

  async add(bytes: Buffer<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    const partNumber = this.#parts.length + 1;
    const send = { timeoutMs: pieceTimeoutMs, tries, signal };
    const part = await this.#request(
      'upload of a part',
      (s3) => s3.uploadPart(this.#key, this.#uploadId, bytes, partNumber),
      send,
    );
    this.#parts.push(part);
  }

  /** S3 may forget an upload that is complete: when an answer was lost before, "no such upload" with the object in its place is success. */
  async complete(sizeBytes: number, signal: AbortSignal): Promise<void> {
    let lost = false;
    await this.#request(
      'end of an upload',
      async (s3) => {
        try {
          const { etag } = await s3.completeMultipartUpload(this.#key, this.#uploadId, this.#parts);
          // An error of the server can come after its 200, in the body.
          if (typeof etag !== 'string') throw new S3Failure('end of an upload', 500, 'InternalError');
        } catch (error) {
          if (!lost || !(await this.#isThere(sizeBytes, signal))) throw error;
        } finally {
          lost = true;
        }
      },
      { timeoutMs: pieceTimeoutMs, tries, signal },
    );
  }

  abort(): Promise<void> {
    return abortUpload(this.#request, this.#key, this.#uploadId);
  }

  async #isThere(sizeBytes: number, signal: AbortSignal): Promise<boolean> {
    const found = await this.#request('look', (s3) => s3.listObjectsPaged('/', this.#key, 1), { signal });
    return found?.objects?.some(({ Key, Size }) => Key === this.#key && Size === sizeBytes) ?? false;
  }
}

/** Of an upload that has ended there is nothing to abort. */
export async function abortUpload(request: S3Request, key: string, uploadId: string): Promise<void> {
  try {
    await request('abort of an upload', (s3) => s3.abortMultipartUpload(key, uploadId), { tries: 2 });
  } catch (error) {
    if (!(error instanceof S3Failure) || error.code !== 'NoSuchUpload') throw error;
  }
}

async function removeTraces(
  request: S3Request,
  log: Logger | undefined,
  key: string,
  multipart: Multipart | undefined,
): Promise<void> {
  try {
    await multipart?.abort();
    await request('removal', (s3) => s3.deleteObject(key), { timeoutMs: requestTimeoutMs });
  } catch (err) {
    log?.warn({ err, key }, 'an upload that failed could not be removed: the collection will remove it');
  }
}
