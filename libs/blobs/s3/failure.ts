import { S3Error, S3ServiceError } from 's3mini';
import { StoreFull, StoreUnavailable } from '../../store/errors.ts';

/** S3 didn't do what it was asked. `code` is its own, or that of the network. Answers to what was asked can hold parts of keys, so none is kept. */
export class S3Failure extends StoreUnavailable {
  /** Of HTTP; undefined when no answer came. */
  readonly status: number | undefined;
  readonly code: string;
  constructor(what: string, status: number | undefined, code: string) {
    super(`S3 ${what}: ${status === undefined ? 'no answer' : status} (${code})`);
    this.status = status;
    this.code = code;
  }

  /** Whether the same request may go well a moment later. */
  get passes(): boolean {
    if (this.status === undefined) return this.code !== 'ENOTFOUND';
    return this.status >= 500 || this.status === 429 || this.status === 408 || this.code === 'RequestTimeout';
  }
}

/** Only what S3 says of the object itself: a bucket or a key that it doesn't know may be a 404 too. */
export function isNoSuchObject(error: unknown): boolean {
  return error instanceof S3Failure && error.status === 404 && (error.code === 'NoSuchKey' || error.code === 'Unknown');
}

/** An error of the client or of `fetch` as one of the store's; any other error as it is. */
export function s3Error(what: string, error: unknown): unknown {
  if (error instanceof S3ServiceError) {
    // Servers that call their XML `text/xml` leave the client without the code.
    const code = /<Code>(\w{1,64})<\/Code>/.exec(error.body ?? '')?.[1] ?? error.serviceCode ?? 'Unknown';
    if (error.status === 507 || full.has(code)) return new StoreFull(`S3 ${what}: there is no room (${code})`);
    return new S3Failure(what, error.status, code);
  }
  if (error instanceof S3Error) return new S3Failure(what, undefined, error.code ?? 'Unknown');
  if (!(error instanceof Error)) return error;
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return new S3Failure(what, undefined, 'ETIMEDOUT');
  // `fetch` throws a TypeError with what really happened as its cause.
  if (error instanceof TypeError && error.cause !== undefined)
    return new S3Failure(what, undefined, codeOf(error.cause));
  if (error.message.startsWith('[s3mini]')) return new S3Failure(what, undefined, 'UnexpectedAnswer');
  return error;
}

const full = new Set(['QuotaExceeded', 'XMinioStorageFull', 'InsufficientStorage']);

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'Unknown';
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  if (cause instanceof AggregateError && cause.errors.length > 0) return codeOf(cause.errors[0]);
  return cause.message;
}
