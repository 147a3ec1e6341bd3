import { hostname as machineName } from 'node:os';
import { openBlobs } from '../../libs/blobs/open.ts';
import type { Blobs } from '../../libs/blobs/port.ts';
import type { Bus } from '../../libs/bus/port.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { StoreUnavailable } from '../../libs/store/errors.ts';
import type { MongoStore } from '../../libs/store/mongo/open.ts';
import type { OpenBackends, OpenRequest } from './backends.ts';

/**
 * A cluster: MongoDB and NATS. The parts of a cluster start in any order, so a store that can't be reached is tried again for a while; the bus is
 * needed by no start. What is set up wrong is told at once. Rejects with UnsuitableServer, SchemaTooNew, StoreUnavailable, BusMisconfigured…
 */
export const openClusterBackends: OpenBackends = async (request) => {
  const { opened } = request;
  const bus = await openBus(request);
  opened.push(() => bus.close());
  const store = await openStore(request);
  opened.push(() => store.close());
  return { store, bus, blobs: await openClusterBlobs(request, store) };
};

function openClusterBlobs({ config, log, metrics }: OpenRequest, store: MongoStore): Promise<Blobs> {
  return openBlobs({
    url: config.blobsUrl ?? 'gridfs:',
    accessKey: config.blobsAccessKey,
    secretKey: config.blobsSecretKey,
    gridFs: async () => (await import('../../libs/store/mongo/blobs/blobs.ts')).mongoBlobs(store.database, { metrics }),
    log,
    metrics,
  });
}

async function openBus({ config, clock, log, metrics, services }: OpenRequest): Promise<Bus> {
  const { createNatsBus } = await import('../../libs/bus/nats/bus.ts');
  const service = nameOf(services);
  return createNatsBus({
    url: config.natsUrl ?? '',
    service,
    source: `/waypost/${service}/${machineName()}-${newId()}`,
    caFile: config.natsCaFile,
    credsFile: config.natsCredsFile,
    token: config.natsToken,
    nkeySeed: config.natsNkey,
    createStreams: !config.production || config.createStreams,
    clock,
    log,
    metrics,
  });
}

/** Several services in one process share one user, which must have the rights of them all. */
const nameOf = (services: readonly string[]): string => (services.length === 1 ? (services[0] ?? '') : 'all');

async function openStore(request: OpenRequest): Promise<MongoStore> {
  const { config, clock, log, metrics } = request;
  const { openMongoStore } = await import('../../libs/store/mongo/open.ts');
  const giveUpAtMs = clock.monotonicMs() + storePatienceMs;
  let told = '';
  for (;;) {
    try {
      return await openMongoStore({
        url: config.mongodbUrl ?? '',
        log,
        metrics,
        ...(config.mongodbCaFile === undefined ? {} : { tlsCaFile: config.mongodbCaFile }),
      });
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || clock.monotonicMs() > giveUpAtMs) throw error;
      const problem = error.message;
      request.waitsFor?.(problem);
      // Each problem once, not each try.
      if (problem !== told) log.warn({ problem }, 'MongoDB can not be used yet: the start waits for it');
      told = problem;
    }
    await clock.sleep(storePauseMs, new AbortController().signal);
  }
}

/** Past it the process ends with the reason, and whoever supervises it starts it again. */
const storePatienceMs = 30_000;
const storePauseMs = 1_000;
