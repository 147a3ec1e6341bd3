import { openFileBlobs } from '../../libs/blobs/file.ts';
import type { Blobs } from '../../libs/blobs/port.ts';
import type { Config } from '../../libs/config/load.ts';

/** Where large bodies go: what the configuration says, else `fallback`. */
export function openBlobs(config: Config, fallback: string): Promise<Blobs> {
  const url = config.blobsUrl ?? fallback;
  if (!url.startsWith('file:')) throw new NotInThisRelease(`WAYPOST_BLOBS_URL: only file: is there yet`);
  return openFileBlobs(url.slice('file:'.length).replace(/^\/\/(?=\/)/, ''));
}

/** The configuration asks for what a later release will bring. */
export class NotInThisRelease extends Error {
  override readonly name = 'NotInThisRelease';
}
