import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileBlobs } from '../../libs/blobs/file.ts';
import { blobsContract } from './blobs.ts';

blobsContract('files', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'waypost-blobs-'));
  return { blobs: await openFileBlobs(directory), close: () => rm(directory, { recursive: true }) };
});
