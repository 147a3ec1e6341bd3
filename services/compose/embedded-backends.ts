import { join } from 'node:path';
import { openBlobs } from '../../libs/blobs/open.ts';
import { createMemoryBus } from '../../libs/bus/memory/bus.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { openSqliteStore } from '../../libs/store/sqlite/open.ts';
import type { OpenBackends } from './backends.ts';

/** One process: SQLite in the data directory, a bus in memory. Rejects with DataDirectoryInUse, SchemaTooNew… */
export const openEmbeddedBackends: OpenBackends = async ({ config, clock, log, metrics, opened }) => {
  const store = await openSqliteStore({ dataDir: config.dataDir, log, metrics });
  opened.push(() => store.close());
  const blobs = await openBlobs({
    url: config.blobsUrl ?? `file:${join(config.dataDir, 'blobs')}`,
    accessKey: config.blobsAccessKey,
    secretKey: config.blobsSecretKey,
    log,
    metrics,
  });
  const bus = createMemoryBus({ source: `/waypost/all/${newId()}`, clock, log, metrics });
  opened.push(() => bus.close());
  return { store, blobs, bus };
};
