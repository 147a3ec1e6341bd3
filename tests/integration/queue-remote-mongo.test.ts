import { describe } from 'node:test';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { remoteCases } from './queue-remote-cases.ts';

const mongo = await mongoForFile({ members: 3, own: false });

if (mongo.skip === false) {
  const { url } = mongo.backend;
  describe('the queue’s remote side over MongoDB', () =>
    remoteCases(() => ({ mongo: { url, database: freshDatabase() } })));
}
