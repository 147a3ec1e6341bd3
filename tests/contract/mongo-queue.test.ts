import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { watchedStores } from '../support/mongo-wire.ts';
import { deliveriesContract } from './deliveries.ts';
import { partitionsContract } from './partitions.ts';
import { spoolCollectionContract } from './spool-collection.ts';
import type { OpenQueue } from './spool-messages.ts';
import { spoolContract } from './spool.ts';

const mongo = await mongoForFile({ members: 3, own: false });

if (mongo.skip === false) {
  const { url } = mongo.backend;
  const openStore = watchedStores();
  const open = async (): Promise<OpenQueue> => {
    const store = await openStore({ url, database: freshDatabase() });
    const { spool, deliveries, partitions } = store;
    return { spool, deliveries, partitions, close: () => store.close() };
  };
  spoolContract('MongoDB', open);
  spoolCollectionContract('MongoDB', open);
  partitionsContract('MongoDB', open);
  deliveriesContract('MongoDB', open);
}
