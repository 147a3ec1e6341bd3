import { join } from 'node:path';
import { loadConfig } from '../../../libs/config/load.ts';
import { type Command, type CommandContext } from '../command.ts';

const path = '/api/v1/queue';

/** Is it well? Over the API, and (on the machine that has the data) the store itself, byte by byte. */
export const doctorCommands: readonly Command[] = [
  {
    name: 'doctor',
    usage: '[--verify]',
    summary: 'what is well and what isn’t; --verify reads the whole store on this machine (safe while Waypost runs)',
    options: { verify: { type: 'boolean' } },
    run: (context) => (context.flag('verify') ? verify(context) : examine(context)),
  },
  {
    name: 'migrate',
    usage: '',
    summary: 'bring the store on this machine to this release; Waypost must be stopped (starting does the same)',
    async run(context) {
      const { openSqliteStore } = await import('../../../libs/store/sqlite/open.ts');
      const store = await openSqliteStore({ dataDir: loadConfig(process.env).dataDir });
      await store.close();
      context.output.say('the store is up to date');
    },
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
  const { verifySqliteStore } = await import('../../../libs/store/sqlite/verify.ts');
  const { fileBlobsForReading } = await import('../../../libs/blobs/file.ts');
  const { dataDir } = loadConfig(process.env);
  const report = await verifySqliteStore(dataDir, fileBlobsForReading(join(dataDir, 'blobs')));
  context.output.record({ messages: report.bodies, accounts: report.accounts, faults: report.faults.length });
  if (report.faults.length > 0)
    throw new Error(`the store has faults:\n${report.faults.slice(0, shownFaults).join('\n')}`);
}

const shownFaults = 50;
