import { type Config, loadConfig } from '../../../libs/config/load.ts';
import type { Command, CommandContext } from '../command.ts';

export const migrateCommands: readonly Command[] = [
  {
    name: 'migrate',
    usage: '',
    summary:
      'bring the store to this release: in a cluster MongoDB and the stream of events, also while Waypost runs (with users that may make them); else the store on this machine, with Waypost stopped (starting does the same)',
    async run(context) {
      const config = loadConfig(process.env);
      if (config.mongodbUrl === undefined) await migrateData(config, context);
      else await migrateCluster(config, config.mongodbUrl, context);
    },
  },
];

async function migrateData({ dataDir }: Config, { output }: CommandContext): Promise<void> {
  const { openSqliteStore } = await import('../../../libs/store/sqlite/open.ts');
  const store = await openSqliteStore({ dataDir });
  await store.close();
  output.say('the store is up to date');
}

async function migrateCluster(config: Config, url: string, { output }: CommandContext): Promise<void> {
  const { migrateMongoStore } = await import('../../../libs/store/mongo/schema/migrate.ts');
  const { mongodbCaFile } = config;
  const made = await migrateMongoStore({ url, ...(mongodbCaFile === undefined ? {} : { tlsCaFile: mongodbCaFile }) });
  const missing = [
    ...made.collections.map((name) => `collection ${name}`),
    ...made.indexes.map((name) => `index ${name}`),
  ];
  for (const name of missing) output.say(`MongoDB: made ${name}`);
  output.say('MongoDB is up to date');
  const { prepareStreams } = await import('../../../libs/bus/nats/prepare.ts');
  await prepareStreams({
    service: 'migrate',
    url: config.natsUrl ?? '',
    caFile: config.natsCaFile,
    credsFile: config.natsCredsFile,
    token: config.natsToken,
    nkeySeed: config.natsNkey,
  });
  output.say('NATS: the stream of events is up to date');
  if (output.json) output.record({ mongodb: { made: missing }, nats: { stream: 'up to date' } });
}
