import { flushCompileCache } from 'node:module';
import { serviceNames } from '../services/service-names.ts';

/**
 * Loads what `npm start` and a service of a cluster load, threads included, so that their stripped and compiled code is in the compile cache before the first start: half the
 * time to start, and the compiler of types needn't stay in the memory of a process that runs for months.
 */
await import('../services/all.ts');
await import('../services/compose/embedded-backends.ts');
await import('../services/compose/cluster-backends.ts');
await import('../libs/bus/nats/bus.ts');
await import('../libs/store/mongo/open.ts');
await import('../libs/store/mongo/blobs/blobs.ts');
for (const name of serviceNames) await import(`../services/${name}/main.ts`);
await import('../services/start-notice.ts');
await import('../libs/store/sqlite/engine/writer-thread.ts');
await import('../libs/store/sqlite/engine/reader-thread.ts');
await import('../libs/mail/parse-pool/worker.ts');
flushCompileCache();
process.exit(0);
