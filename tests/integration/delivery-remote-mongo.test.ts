import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { remoteDeliveryCases } from './delivery-remote-cases.ts';

const mongo = await mongoForFile();

remoteDeliveryCases(
  'MongoDB',
  () => ({ mongo: { url: mongo.backend?.url ?? '', database: freshDatabase() } }),
  mongo.skip,
);
