import type { Registry } from 'prom-client';
import { PartitionWakes } from '../../libs/accept/partition-wakes.ts';
import { Ranks } from '../../libs/accept/ranks.ts';
import type { Blobs } from '../../libs/blobs/port.ts';
import type { Bus, Subscription } from '../../libs/bus/port.ts';
import type { Config } from '../../libs/config/load.ts';
import { CachedResolver } from '../../libs/directory/cached-resolver.ts';
import { SenderRights } from '../../libs/directory/sender-rights.ts';
import type { Verifier } from '../../libs/directory/verifier.ts';
import { type Authenticate, mountRoutes } from '../../libs/http/mount-routes.ts';
import type { ParsePool } from '../../libs/mail/parse-pool/parse-pool.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import type { HeldBytes } from '../../libs/runtime/held-bytes.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { Periodic } from '../../libs/runtime/periodic.ts';
import type { Readiness, Service } from '../../libs/runtime/service.ts';
import { StoreHealth } from '../../libs/store/health.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { Directory } from '../../libs/store/ports/directory.ts';
import type { Mailboxes } from '../../libs/store/ports/mailboxes.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';
import { createAnnouncer } from './announcer.ts';
import { ByteBudget } from '../../libs/runtime/byte-budget.ts';
import { deliveryLimits } from './delivery/limits.ts';
import { Settlement } from './delivery/settlement.ts';
import { StateTokens } from './delivery/state-tokens.ts';
import { DeliveryWorker } from './delivery/worker.ts';
import { accountRoutes } from './http/accounts.ts';
import { mailboxRoutes } from './http/routes.ts';
import { Indexer } from './indexer/indexer.ts';
import { mailboxGauges, mailboxMetrics } from './metrics.ts';
import { sweepRemovedAccounts } from './removed-accounts.ts';

export interface MailboxDeps {
  config: Pick<
    Config,
    | 'domain'
    | 'hostname'
    | 'trustedProxies'
    | 'retryScheduleMs'
    | 'delayNoticeAfterMs'
    | 'expireAfterMs'
    | 'routes'
    | 'allowAddressLiterals'
    | 'maxMessageBytes'
    | 'sweepIntervalMs'
  >;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  bus: Bus;
  directory: Directory;
  spool: Spool;
  deliveries: Deliveries;
  mailboxes: Mailboxes;
  blobs: Blobs;
  parsePool: ParsePool;
  authenticate: Authenticate;
  verifier: Pick<Verifier, 'isGood'>;
  bytes: HeldBytes;
  /** In [0, 1); default Math.random. */
  random?: () => number;
}

/** Accounts' mailboxes: puts local deliveries into them, makes them searchable, serves them over HTTP. */
export function createMailbox(deps: MailboxDeps): Service {
  const { worker, indexer, tasks } = createDelivery(deps);
  const { router, close } = createHttp(deps);
  const { bus } = deps;
  const health = new StoreHealth({ ...deps, probe: (timeoutMs) => deps.spool.probe(timeoutMs) });
  let subscription: Subscription | undefined;
  let state: 'new' | 'running' | 'stopping' = 'new';
  return {
    name: 'mailbox',
    router,
    async start() {
      indexer.start();
      worker.start();
      for (const task of tasks) task.start();
      subscription = bus.subscribe(['account.changed'], ({ data }) => {
        if (data.change === 'removed') for (const task of tasks) task.kick();
      });
      health.start();
      state = 'running';
    },
    async stop(graceMs) {
      state = 'stopping';
      await subscription?.close();
      await Promise.all([close(), worker.stop(graceMs), health.stop(), ...tasks.map((task) => task.stop())]);
      await indexer.stop();
    },
    readiness: () => readiness(state, health, bus),
  };
}

function readiness(state: 'new' | 'running' | 'stopping', health: StoreHealth, bus: Bus): Readiness {
  const degraded = bus.status() === 'down' ? ['nats'] : [];
  if (state !== 'running') return { ready: false, degraded, reason: state === 'new' ? 'not started' : 'shutting down' };
  return health.good ? { ready: true, degraded } : { ready: false, degraded, reason: 'the store does not commit' };
}

function createDelivery(deps: MailboxDeps): { worker: DeliveryWorker; indexer: Indexer; tasks: readonly Periodic[] } {
  const { config, clock, log, mailboxes } = deps;
  const metrics = mailboxMetrics(deps.metrics);
  const budget = new ByteBudget(deliveryLimits.heldBytes);
  const indexer = new Indexer({ ...deps, metrics, budget, sweepIntervalMs: config.sweepIntervalMs });
  const settlement = new Settlement({
    ...deps,
    metrics,
    stateTokens: new StateTokens(mailboxes),
    index: indexer,
    retryScheduleMs: config.retryScheduleMs,
    random: deps.random ?? Math.random,
  });
  const worker = new DeliveryWorker({ ...deps, name: `mailbox-${newId()}`, metrics, budget, settlement });
  mailboxGauges(deps.metrics, {
    batchesUnderWay: () => worker.batchesUnderWay,
    heldBytes: () => budget.held,
    indexWaiting: () => indexer.waiting,
    parseWaiting: () => deps.parsePool.stats().waitingJobs,
    parseWaitingBytes: () => deps.parsePool.stats().waitingBytes,
  });
  const removals = new Periodic({
    name: 'removed accounts',
    intervalMs: config.sweepIntervalMs,
    minGapMs: 100,
    clock,
    log,
    task: (signal) => sweepRemovedAccounts(deps, signal),
  });
  const purge = new Periodic({
    name: 'expunged messages',
    intervalMs: purgeIntervalMs,
    clock,
    log,
    task: (signal) => purgeExpunged(deps, signal),
  });
  return { worker, indexer, tasks: [removals, purge] };
}

const purgeIntervalMs = 60 * 60_000;
/** Expunged rows keep key and modseq this long, so that a client that was away still learns of it. */
const expungedKeepMs = 30 * 24 * 60 * 60_000;
const purgePerCall = 500;

async function purgeExpunged({ mailboxes, clock }: MailboxDeps, signal: AbortSignal): Promise<void> {
  for (let removed = purgePerCall; removed === purgePerCall && !signal.aborted; ) {
    removed = await mailboxes.purge({ before: clock.nowMs() - expungedKeepMs, limit: purgePerCall });
  }
}

function createHttp(deps: MailboxDeps) {
  const { config, bus, mailboxes, log } = deps;
  const host = { domain: config.domain, hostname: config.hostname };
  const resolver = new CachedResolver({ ...deps, host });
  const wakes = new PartitionWakes(bus, log);
  const api = mailboxRoutes({
    ...deps,
    resolver: {
      resolve: async (address, signal) => (await resolver.resolve([address], signal))[0] ?? { kind: 'unknown' },
    },
    rights: new SenderRights(deps.directory, deps.clock),
    ranks: new Ranks(),
    wakes,
    announcer: createAnnouncer({ bus, mailboxes, log }),
    settings: config,
  });
  const closeAll = async (): Promise<void> => {
    await Promise.all([api.close(), resolver.close(), wakes.settled()]);
  };
  return { router: mountRoutes([...accountRoutes(deps), ...api.routes], deps), close: closeAll };
}
