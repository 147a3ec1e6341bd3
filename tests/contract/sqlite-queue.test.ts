import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../libs/store/sqlite/open.ts';
import { deliveriesContract } from './deliveries.ts';
import { partitionsContract } from './partitions.ts';
import { spoolCollectionContract } from './spool-collection.ts';
import type { OpenQueue } from './spool-messages.ts';
import { spoolContract } from './spool.ts';

spoolContract('SQLite', open);
spoolCollectionContract('SQLite', open);
partitionsContract('SQLite', open);
deliveriesContract('SQLite', open);

async function open(): Promise<OpenQueue> {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-queue-'));
  const { spool, deliveries, partitions, close } = await openSqliteStore({ dataDir });
  return { spool, deliveries, partitions, close: () => close().finally(() => rm(dataDir, { recursive: true })) };
}
