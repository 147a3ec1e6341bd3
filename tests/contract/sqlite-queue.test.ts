import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Account } from '../../libs/store/ports/directory.ts';
import { openSqliteStore } from '../../libs/store/sqlite/open.ts';
import { deliveriesContract } from './deliveries.ts';
import { partitionsContract } from './partitions.ts';
import { spoolCollectionContract } from './spool-collection.ts';
import { spoolReferencesContract } from './spool-references.ts';
import type { OpenQueue } from './spool-messages.ts';
import { spoolContract } from './spool.ts';

spoolContract('SQLite', open);
spoolCollectionContract('SQLite', open);
partitionsContract('SQLite', open);
deliveriesContract('SQLite', open);

spoolReferencesContract('SQLite', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-references-'));
  const store = await openSqliteStore({ dataDir });
  const { directoryAdmin } = store;
  await directoryAdmin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
  return {
    ...store,
    features: { search: true },
    addAccount: (id) => directoryAdmin.addAccount(accountOf(id), 'hash'),
    removeAccountFromDirectory: (id) => directoryAdmin.removeAccount(id, 1),
    close: () => store.close().finally(() => rm(dataDir, { recursive: true })),
  };
});

function accountOf(id: string): Account {
  const address = `${id}@example.test`;
  const quota = { bytes: null, messages: null };
  const flags = { enabled: true, admin: false, credentialVersion: 1, createdAt: 1 };
  return { id, key: address, address, displayName: null, quota, ...flags };
}

async function open(): Promise<OpenQueue> {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-queue-'));
  const store = await openSqliteStore({ dataDir });
  return { ...store, close: () => store.close().finally(() => rm(dataDir, { recursive: true })) };
}
