import { openMongoStore } from '../../libs/store/mongo/open.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { mailboxesContract, type OpenMailboxes } from './mailboxes.ts';

const mongo = await mongoForFile({ members: 3, own: false });

if (mongo.skip === false) {
  const { url } = mongo.backend;
  mailboxesContract('MongoDB', async (): Promise<OpenMailboxes> => {
    const store = await openMongoStore({ url, database: freshDatabase() });
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
