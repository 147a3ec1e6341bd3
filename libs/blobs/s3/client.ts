import { setTimeout as wait } from 'node:timers/promises';
import { S3mini } from 's3mini';
import { UnusableBlobStore } from '../errors.ts';
import type { BlobsOptions } from '../open.ts';
import { s3Location, s3UrlForm } from '../s3-location.ts';
import { S3Failure, s3Error } from './failure.ts';

/** What one request may take, in milliseconds. */
export const requestTimeoutMs = 15_000;
/** Of a request that carries a piece of a body: 5 MiB come through a line of 1 Mbit/s. */
export const pieceTimeoutMs = 60_000;

export interface RequestOptions {
  timeoutMs?: number;
  /** Of the caller: when it aborts, its reason is thrown. */
  signal?: AbortSignal;
  /** Only for what is safe to repeat. Default 1. */
  tries?: number;
  /** In place of `timeoutMs`, where the answer's body outlives the request. */
  limit?: AbortSignal;
}

/** Sends one request by the client that it is given. `what` is told in errors. */
export type S3Request = <T>(what: string, send: (s3: S3mini) => Promise<T>, options?: RequestOptions) => Promise<T>;

/** Path-style addresses, which every server takes. @throws UnusableBlobStore when the URL hasn't its form or a key is missing */
export function s3Client({ url, accessKey, secretKey }: BlobsOptions): S3Request {
  const location = s3Location(url);
  if (location === undefined) throw new UnusableBlobStore('the value has the wrong form', `give it as ${s3UrlForm}`);
  if (!accessKey || !secretKey) {
    throw new UnusableBlobStore(
      's3: needs keys',
      'give WAYPOST_BLOBS_ACCESS_KEY and WAYPOST_BLOBS_SECRET_KEY, or the files of both',
    );
  }
  // One for each request: the client has one time limit and no signal, its `fetch` is what can have them.
  const clientWithin = (limit: AbortSignal): S3mini =>
    new S3mini({
      accessKeyId: accessKey,
      secretAccessKey: secretKey,
      endpoint: `${location.endpoint}/${location.bucket}`,
      region: location.region,
      // A signed request goes where it was signed for and nowhere else.
      fetch: (input, init) => fetch(input, { ...init, signal: limit, redirect: 'manual' }),
    });

  return async (what, send, { timeoutMs = requestTimeoutMs, signal, tries = 1, limit } = {}) => {
    for (let tried = 1; ; tried += 1) {
      signal?.throwIfAborted();
      const limits = [limit ?? AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])];
      try {
        return await send(clientWithin(AbortSignal.any(limits)));
      } catch (error) {
        signal?.throwIfAborted();
        const told = s3Error(what, error);
        if (tried >= tries || !(told instanceof S3Failure) || !told.passes) throw told;
      }
      await wait(firstPauseMs * 4 ** (tried - 1) * (0.5 + Math.random()), undefined, { signal });
    }
  };
}

const firstPauseMs = 100;
