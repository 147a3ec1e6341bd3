import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteDeliveries } from '../../libs/store/sqlite/deliveries.ts';
import { sqliteDirectoryAdmin } from '../../libs/store/sqlite/directory.ts';
import { Engine } from '../../libs/store/sqlite/engine/engine.ts';
import { sqliteMailboxes } from '../../libs/store/sqlite/mailboxes.ts';
import { sqlitePartitions } from '../../libs/store/sqlite/partitions.ts';
import { sqliteSpool } from '../../libs/store/sqlite/spool.ts';
import { mailboxesContract, type OpenMailboxes } from './mailboxes.ts';

mailboxesContract('sqlite', open);

async function open(): Promise<OpenMailboxes> {
  const folder = await mkdtemp(join(tmpdir(), 'waypost-mailboxes-'));
  const engine = await Engine.open({ file: join(folder, 'waypost.db') });
  const directory = sqliteDirectoryAdmin(engine);
  await directory.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
  return {
    mailboxes: sqliteMailboxes(engine),
    spool: sqliteSpool(engine),
    deliveries: sqliteDeliveries(engine),
    partitions: sqlitePartitions(engine),
    features: { search: true },
    async addAccount(id) {
      const key = `${id}@example.test`;
      const quota = { bytes: null, messages: null };
      const account = {
        id,
        key,
        address: key,
        displayName: null,
        enabled: true,
        admin: false,
        quota,
        credentialVersion: 1,
        createdAt: 1,
      };
      await directory.addAccount(account, 'hash');
    },
    removeAccountFromDirectory: (id) => directory.removeAccount(id, 1),
    async close() {
      await engine.close();
      await rm(folder, { recursive: true });
    },
  };
}
