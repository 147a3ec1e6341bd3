import { join } from 'node:path';
import { type Config, loadConfig } from '../../../libs/config/load.ts';
import type { VerifyReport } from '../../../libs/store/verify-report.ts';
import { type Command, type CommandContext } from '../command.ts';

const path = '/api/v1/queue';

/** Is it well? Over the API, and (on the machine that has the data) the store itself, byte by byte. */
export const doctorCommands: readonly Command[] = [
  {
    name: 'doctor',
    usage: '[--verify]',
    summary:
      'what is well and what isn’t; --verify reads the whole store, of the cluster or on this machine (safe while Waypost runs)',
    options: { verify: { type: 'boolean' } },
    run: (context) => (context.flag('verify') ? verify(context) : examine(context)),
  },
];

async function examine(context: CommandContext): Promise<void> {
  const api = context.api();
  await api.call('GET', '/api/openapi.json');
  const counts = await api.call('GET', `${path}/counts`);
  const oldest = await api.list(`${path}/deliveries?state=deferred`, 1);
  context.output.record({
    api: 'answers',
    credentials: 'accepted',
    queue: counts['byState'],
    deferred: oldest[0]?.['lastReply'] ?? 'none',
  });
}

async function verify(context: CommandContext): Promise<void> {
  const config = loadConfig(process.env);
  const report = await (config.mongodbUrl === undefined
    ? verifyData(config)
    : verifyCluster(config, config.mongodbUrl));
  context.output.record({ messages: report.bodies, accounts: report.accounts, faults: report.faults.length });
  if (report.faults.length > 0)
    throw new Error(`the store has faults:\n${report.faults.slice(0, shownFaults).join('\n')}`);
}

async function verifyData(config: Config): Promise<VerifyReport> {
  const { verifySqliteStore } = await import('../../../libs/store/sqlite/verify.ts');
  const { openBlobsForReading } = await import('../../../libs/blobs/open.ts');
  const blobs = await openBlobsForReading({
    url: config.blobsUrl ?? `file:${join(config.dataDir, 'blobs')}`,
    accessKey: config.blobsAccessKey,
    secretKey: config.blobsSecretKey,
  });
  return verifySqliteStore(config.dataDir, blobs);
}

async function verifyCluster(config: Config, url: string): Promise<VerifyReport> {
  const { openDatabase } = await import('../../../libs/store/mongo/connect.ts');
  const { verifyMongoStore } = await import('../../../libs/store/mongo/verify/verify.ts');
  const { mongoBlobs } = await import('../../../libs/store/mongo/blobs/blobs.ts');
  const { openBlobsForReading } = await import('../../../libs/blobs/open.ts');
  const { mongodbCaFile } = config;
  const database = await openDatabase({ url, ...(mongodbCaFile === undefined ? {} : { tlsCaFile: mongodbCaFile }) });
  try {
    const blobs = await openBlobsForReading({
      url: config.blobsUrl ?? 'gridfs:',
      accessKey: config.blobsAccessKey,
      secretKey: config.blobsSecretKey,
      gridFs: () => mongoBlobs(database),
    });
    return await verifyMongoStore(database, blobs);
  } finally {
    await database.client.close();
  }
}

const shownFaults = 50;
