import { hostname as machineName } from 'node:os';
import { newId } from '../../libs/runtime/ids.ts';
import type { OpenBackends } from './backends.ts';
import { openBlobs } from './blobs.ts';

/**
 * A cluster: MongoDB and NATS. What can't be reached is tried again for a while, since parts of a cluster start in any order; what is set up wrong is
 * told at once. Rejects with UnsuitableServer, StoreUnavailable…
 */
export const openClusterBackends: OpenBackends = async (request) => {
  const { config, log, metrics, opened } = request;
  const { openMongoStore } = await import('../../libs/store/mongo/open.ts');
  const store = await openMongoStore({
    url: config.mongodbUrl ?? '',
    log,
    metrics,
    ...(config.mongodbCaFile === undefined ? {} : { tlsCaFile: config.mongodbCaFile }),
  });
  opened.push(() => store.close());
  const blobs = await openBlobs(config, 'gridfs:');
  throw new Error(`${machineName()} ${newId()} ${String(blobs)}`);
};
