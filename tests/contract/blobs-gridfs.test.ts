import { openMongoStore } from '../../libs/store/mongo/open.ts';
import { mongoBlobs } from '../../libs/store/mongo/blobs/blobs.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { blobsContract } from './blobs.ts';

const mongo = await mongoForFile({ members: 3, own: false });

if (mongo.skip === false) {
  const { url } = mongo.backend;
  blobsContract('GridFS', async () => {
    const store = await openMongoStore({ url, database: freshDatabase() });
    return { blobs: mongoBlobs(store.database), close: () => store.close() };
  });
}
