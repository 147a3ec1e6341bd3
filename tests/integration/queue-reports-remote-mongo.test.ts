import { describe } from 'node:test';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { remoteReportCases } from './queue-reports-remote-cases.ts';

const mongo = await mongoForFile();

describe('reports on mail for outside: MongoDB', { skip: mongo.skip }, () =>
  remoteReportCases(() => ({ mongo: { url: mongo.backend?.url ?? '', database: freshDatabase() } }), { steps: 20 }),
);
