import type { Registry } from 'prom-client';
import type { Logger } from '../ops/logger.ts';
import { UnusableBlobStore } from './errors.ts';
import type { Blobs } from './port.ts';

export interface BlobsOptions {
  /** WAYPOST_BLOBS_URL: `file:DIR`, `gridfs:` or `s3://bucket?endpoint=…&region=…`. */
  url: string;
  /** Of S3. */
  accessKey?: string | undefined;
  secretKey?: string | undefined;
  /** Makes the store for `gridfs:` on the MongoDB that the process is connected to; undefined without one. */
  gridFs?: (() => Blobs | Promise<Blobs>) | undefined;
  log?: Logger | undefined;
  metrics?: Registry | undefined;
}

/** Opens the blob store and, where it is S3, tries it. Only what the URL names is loaded. @throws UnusableBlobStore */
export async function openBlobs(options: BlobsOptions): Promise<Blobs> {
  const { url } = options;
  if (url.startsWith('file:')) {
    const { openFileBlobs } = await import('./file.ts');
    return openFileBlobs(directoryOf(url));
  }
  if (url === 'gridfs:') return gridFsOf(options);
  const { openS3Blobs } = await import('./s3/blobs.ts');
  return openS3Blobs(options);
}

/** Only for reading: nothing is made, tried, cleared or written. @throws UnusableBlobStore */
export async function openBlobsForReading(options: BlobsOptions): Promise<Pick<Blobs, 'read'>> {
  const { url } = options;
  if (url.startsWith('file:')) {
    const { fileBlobsForReading } = await import('./file.ts');
    return fileBlobsForReading(directoryOf(url));
  }
  if (url === 'gridfs:') return gridFsOf(options);
  const { s3Blobs } = await import('./s3/blobs.ts');
  return s3Blobs(options);
}

function directoryOf(url: string): string {
  return url.slice('file:'.length).replace(/^\/\/(?=\/)/, '');
}

async function gridFsOf({ gridFs }: BlobsOptions): Promise<Blobs> {
  if (gridFs === undefined) {
    throw new UnusableBlobStore('gridfs: is a part of MongoDB', 'give WAYPOST_MONGODB_URL, or take file: or s3:');
  }
  return gridFs();
}
