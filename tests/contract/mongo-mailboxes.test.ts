import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { watchedStores } from '../support/mongo-wire.ts';
import { mailboxesContract, type OpenMailboxes } from './mailboxes.ts';

const mongo = await mongoForFile({ members: 3, own: false });

if (mongo.skip === false) {
  const { url } = mongo.backend;
  const openStore = watchedStores();
  mailboxesContract('MongoDB', async (): Promise<OpenMailboxes> => {
    const store = await openStore({ url, database: freshDatabase() });
    const { spool, deliveries, partitions, mailboxes, database } = store;
    return {
      spool,
      deliveries,
      partitions,
      mailboxes,
      features: { search: true },
      async addAccount(id) {
        await database.accounts.insertOne({ _id: id });
      },
      async removeAccountFromDirectory(id) {
        await database.accounts.deleteOne({ _id: id });
      },
      close: () => store.close(),
    };
  });
}
