import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { watchedStores } from '../support/mongo-wire.ts';
import { dkimKeysContract } from './dkim-keys.ts';

const mongo = await mongoForFile({ members: 3, own: false });

if (mongo.skip === false) {
  const { url } = mongo.backend;
  const openStore = watchedStores();
  dkimKeysContract('MongoDB', async () => {
    const store = await openStore({ url, database: freshDatabase() });
    return { admin: store.directoryAdmin, dkimKeys: store.dkimKeys, close: () => store.close() };
  });
}
