import { openS3Blobs } from '../../libs/blobs/s3/blobs.ts';
import { s3ForFile } from '../backends/require.ts';
import { blobsContract } from './blobs.ts';

const s3 = await s3ForFile();

if (s3.skip === false) {
  const { url, accessKey, secretKey } = s3.backend;
  blobsContract('S3', async () => ({
    blobs: await openS3Blobs({ url, accessKey, secretKey }),
    close: () => Promise.resolve(),
  }));
}
