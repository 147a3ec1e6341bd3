import { hostname as machineName } from 'node:os';
import type { Registry } from 'prom-client';
import { PartitionWakes } from '../../libs/accept/partition-wakes.ts';
import type { Blobs } from '../../libs/blobs/port.ts';
import type { Bus, Subscription } from '../../libs/bus/port.ts';
import type { Config } from '../../libs/config/load.ts';
import type { Dns } from '../../libs/dns/port.ts';
import { scheduleFor } from '../../libs/delivery/schedules.ts';
import { type Authenticate, mountRoutes } from '../../libs/http/mount-routes.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { HeldBytes } from '../../libs/runtime/held-bytes.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { Periodic } from '../../libs/runtime/periodic.ts';
import type { Readiness, Service } from '../../libs/runtime/service.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { Directory } from '../../libs/store/ports/directory.ts';
import type { Groups } from '../../libs/store/ports/groups.ts';
import type { Partitions } from '../../libs/store/ports/partitions.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';
import { Handout } from './handout.ts';
import { queueRoutes } from './http/routes.ts';
import { loadLimits, sweepLimits, windowCaps } from './limits.ts';
import { Loader } from './loader.ts';
import { queueGauges, queueMetrics } from './metrics.ts';
import { Ownership } from './ownership.ts';
import { createRemote, type Remote } from './remote/remote.ts';
import type { FindRouteConfig } from './remote/open-find-route.ts';
import { LateRoute } from './remote/late-route.ts';
import type { FindRoute } from './remote/routes.ts';
import { Reporter } from './reports/reporter.ts';
import { Sweep } from './sweep.ts';
import { Window } from './window.ts';

export interface QueueDeps {
  config: Pick<
    Config,
    | 'domain'
    | 'hostname'
    | 'partitionLeaseMs'
    | 'deliveryLeaseMs'
    | 'sweepIntervalMs'
    | 'delayNoticeAfterMs'
    | 'expireAfterMs'
    | 'traceKeepMs'
    | 'retryScheduleMs'
    | 'limits'
  > &
    FindRouteConfig;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  bus: Bus;
  deliveries: Deliveries;
  partitions: Partitions;
  spool: Spool;
  blobs: Blobs;
  directory: Directory;
  groups: Groups;
  /** Of the process. Default: one of the queue's own. */
  dns?: Dns;
  /** Default: libs/routing's `route` over this process's DNS. */
  findRoute?: FindRoute;
  authenticate: Authenticate;
  bytes: HeldBytes;
}

/** The queue's owner: holds partitions, hands out what is due, ends leases and rows, reports failures, answers the queue API. */
export function createQueue(deps: QueueDeps): Service {
  const way = new LateRoute(deps);
  const queue = compose({ ...deps, findRoute: (query, signal) => way.find(query, signal) });
  let subscriptions: Subscription[] = [];
  let state: 'new' | 'running' | 'stopping' = 'new';
  return {
    name: 'queue',
    router: mountRoutes(
      queueRoutes({ ...deps, limitRules: deps.config.limits, findRoute: (query, signal) => way.find(query, signal) }),
      deps,
    ),
    async start() {
      await way.open();
      // Owning partitions is not waited for: another owner may have them all, and this one stands by.
      queue.ownership.start();
      queue.loader.start();
      queue.remote.start();
      subscriptions = queue.listen();
      for (const task of queue.tasks) task.start();
      state = 'running';
    },
    async stop() {
      state = 'stopping';
      queue.handout.close();
      queue.remote.close();
      await Promise.all(subscriptions.map((subscription) => subscription.close()));
      await Promise.all([queue.loader.stop(), queue.remote.stop(), ...queue.tasks.map((task) => task.stop())]);
      await queue.wakes.settled();
      await queue.ownership.stop();
      way.close();
    },
    readiness: () => readiness(state, queue.ownership, deps.bus),
  };
}

function readiness(state: 'new' | 'running' | 'stopping', ownership: Ownership, bus: Bus): Readiness {
  const degraded = bus.status() === 'down' ? ['nats'] : [];
  if (state !== 'running') return { ready: false, degraded, reason: state === 'new' ? 'not started' : 'shutting down' };
  if (ownership.reachesStore) return { ready: true, degraded };
  return { ready: false, degraded, reason: 'the leases of partitions can’t be renewed: the store does not answer' };
}

function compose(deps: QueueDeps & { findRoute: FindRoute }) {
  const { config, clock, log, bus, deliveries, partitions, spool, blobs, directory, groups } = deps;
  const owner = `queue-${machineName()}-${newId()}`;
  const metrics = queueMetrics(deps.metrics);
  const window = new Window(windowCaps);

  const ownership = new Ownership({
    owner,
    partitions,
    leaseMs: config.partitionLeaseMs,
    clock,
    log,
    metrics,
    onAcquired: (acquired) => {
      look(acquired);
      sweeps.kick();
    },
    onLost: (lost) => {
      window.dropPartitions(lost);
      remote.dropPartitions(lost);
    },
    onChanged: () => bus.wake('queue.owners', { owner }),
  });
  const handout = new Handout({
    owner,
    window,
    ownership,
    deliveries,
    loader: () => loader,
    clock,
    metrics,
    leaseMs: config.partitionLeaseMs,
  });
  const remote: Remote = createRemote({
    owner,
    ownership,
    deliveries,
    groups,
    find: deps.findRoute,
    routes: config.routes,
    limitRules: config.limits,
    retryStepsOf: (mail) => scheduleFor(mail, config).retryScheduleMs,
    leaseMs: config.deliveryLeaseMs,
    bus,
    clock,
    log,
    metrics,
    onFailures: () => reports.kick(),
    endLeases: () => sweep.endLeases(new AbortController().signal),
  });
  /** Rows of these partitions may have become due. */
  const look = (rowsOf: readonly number[]): void => {
    loader.mark(rowsOf);
    remote.loader.mark(rowsOf);
  };
  const loader: Loader = new Loader({
    deliveries,
    destinations: 'local',
    ownership,
    window,
    limits: loadLimits,
    clock,
    log,
    claiming: () => handout.claiming(),
    onRows: () => {
      if (!handout.offer()) wakeWorkers();
    },
  });
  const wakes = new PartitionWakes(bus, log);
  const reporter = new Reporter({
    bus,
    spool,
    deliveries,
    blobs,
    directory,
    host: { domain: config.domain, hostname: config.hostname },
    schedules: config,
    clock,
    log,
    metrics,
    wakes,
    messagePartitions: () => ownership.owned(),
  });
  const sweep = new Sweep({
    spool,
    deliveries,
    blobs,
    groups,
    ownership,
    clock,
    log,
    metrics,
    traceKeepMs: config.traceKeepMs,
    bus,
    onRows: (rowsOf) => look([...rowsOf]),
    onFailures: () => reports.kick(),
    onSwept: () => {
      look(ownership.owned());
      reports.kick();
    },
  });

  const wakeWorkers = (): void => {
    if (window.size > 0) bus.wake('queue.ready', { owner, kind: 'local' });
  };
  const periodic = (
    name: string,
    intervalMs: number,
    task: (signal: AbortSignal) => Promise<void>,
    minGapMs = 0,
  ): Periodic => new Periodic({ name, intervalMs, minGapMs, clock, log, task });

  const sweeps = periodic('queue sweep', sweepEveryMs(config), (signal) => sweep.run(signal), minTaskGapMs);
  const reports = periodic(
    'reports',
    Math.min(config.sweepIntervalMs, reportIntervalMs),
    (signal) => reporter.round(signal),
    minTaskGapMs,
  );
  const housekeeping = periodic('queue housekeeping', sweepLimits.housekeepingMs, (signal) => sweep.housekeep(signal));
  /** A fifth of a lease, so that a dead worker's batch goes out again well within 20 s. */
  const leases = periodic('ended leases', Math.max(50, config.partitionLeaseMs / 5), async (signal) => {
    if (handout.mayHaveEnded()) await sweep.endLeases(signal);
    // A worker that missed the wake-up, or started after it.
    wakeWorkers();
  });

  queueGauges(deps.metrics, {
    deliveries,
    clock,
    gauges: {
      windowRows: () => window.size + remote.gauges.rows(),
      windowDestinations: () => window.destinations + remote.gauges.lanes(),
      // Local deliveries have no limits: all that is due may go.
      readyRows: () => window.size + remote.gauges.ready(),
      partitionsHeld: () => ownership.owned().length,
      claimsOut: () => handout.claimsOut + remote.gauges.batchesOut(),
      blockedDestinations: remote.gauges.blocked,
      restingGroups: remote.gauges.restingGroups,
      routes: remote.gauges.routes,
      lookUps: remote.gauges.lookUps,
      inFlight: remote.gauges.inFlight,
    },
  });

  const listen = (): Subscription[] => [
    bus.respond(
      'queue.pull',
      (request, signal) => (request.kind === 'local' ? handout : remote).pull(request, signal),
      { as: owner },
    ),
    bus.onWake('queue.rows', ({ partitions: woken }) => look(woken.filter((partition) => ownership.owns(partition)))),
    bus.onWake('queue.destinations', ({ partitions: changed }) => remote.changed(changed)),
    bus.onWake('queue.owners', (changed) => {
      if (changed.owner !== owner) ownership.look();
    }),
    bus.onWake('queue.settled', (settled) => {
      if (settled.owner !== owner) return;
      handout.settled(settled.token);
      remote.settled(settled.token);
      loader.look();
    }),
  ];
  return { ownership, wakes, loader, handout, remote, tasks: [sweeps, reports, housekeeping, leases], listen };
}

/** What one sweep leaves as too young for it is found by the next, within the interval that was asked for. */
function sweepEveryMs({ sweepIntervalMs }: QueueDeps['config']): number {
  return Math.max(sweepIntervalMs / 2, sweepIntervalMs - sweepLimits.unroutedAfterMs);
}

/** Between two sweeps or rounds of reports, however often they are asked for. */
const minTaskGapMs = 50;
/** Failures wait a minute at most for others of their message, so look more often than that. */
const reportIntervalMs = 15_000;
