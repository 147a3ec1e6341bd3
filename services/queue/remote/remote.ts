import type { Bus } from '../../../libs/bus/port.ts';
import type { RequestOf } from '../../../libs/bus/requests.ts';
import type { Route } from '../../../libs/config/forms.ts';
import type { LimitRule } from '../../../libs/delivery/limits/limits.ts';
import type { Scheduled } from '../../../libs/delivery/schedules.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { Periodic } from '../../../libs/runtime/periodic.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { Groups } from '../../../libs/store/ports/groups.ts';
import { Loader } from '../loader.ts';
import type { QueueMetrics } from '../metrics.ts';
import type { Ownership } from '../ownership.ts';
import { BatchesOut } from './batches-out.ts';
import { Blocked } from './blocked.ts';
import { RemoteClaims } from './claims.ts';
import { RemoteHandout } from './handout.ts';
import { laneKeys } from './lane-keys.ts';
import { Lanes } from './lanes.ts';
import { laneCaps, remoteLimits, remoteLoadLimits } from './limits.ts';
import { Obstacles } from './obstacles.ts';
import { type FindRoute, Routes } from './routes.ts';
import { Standings } from './standings.ts';
import { ToldGroups } from './told-groups.ts';
import { UnroutableRows } from './unroutable.ts';

export interface RemoteDeps {
  owner: string;
  ownership: Ownership;
  deliveries: Deliveries;
  groups: Groups;
  find: FindRoute;
  routes: readonly Route[];
  limitRules: readonly LimitRule[];
  /** Waits between attempts of this mail, ms. */
  retryStepsOf: (mail: Scheduled) => readonly number[];
  leaseMs: number;
  bus: Bus;
  clock: Clock;
  log: Logger;
  metrics: QueueMetrics;
  /** In [0, 1). */
  random?: () => number;
  onFailures: () => void;
  endLeases: () => Promise<void>;
}

/** The owner's side of mail for outside. docs/decisions/remote-scheduling.md says how it decides. */
export function createRemote(deps: RemoteDeps) {
  const { owner, ownership, deliveries, groups, bus, clock, log, metrics, leaseMs } = deps;
  const random = deps.random ?? Math.random;
  const mark = (partitions: Iterable<number>): void => loader.mark(partitions);

  const out = new BatchesOut(() => clock.monotonicMs());
  const blocked = new Blocked(clock);
  const standings = new Standings({ groups, out, clock });
  const told = new ToldGroups(groups, clock);
  const lanes = new Lanes({
    caps: laneCaps,
    keyOf: laneKeys(deps.routes),
    isOpen: (key) => !blocked.has(key),
    onNew: ({ key, destination, sender, rows }) => {
      const known = routes.get(key);
      if (known === undefined) routes.look(key, { destination, sender }, rows[0]?.attempts === 0);
      else if (known.kind !== 'routed') unroutable.end(key, known);
    },
  });
  const claims = new RemoteClaims({ owner, leaseMs, deliveries, ownership, loader: () => loader, clock });
  const unroutable: UnroutableRows = new UnroutableRows({
    lanes,
    claims,
    deliveries,
    retryStepsOf: deps.retryStepsOf,
    random,
    bus,
    clock,
    log,
    mark,
    onFailures: deps.onFailures,
    onEnded: () => loader.look(),
  });
  const routes: Routes = new Routes({
    find: deps.find,
    clock,
    log,
    onKnown: (key, destination, result) => {
      metrics.routings.inc({ result: result.kind });
      const group = result.kind === 'routed' ? result.hosts[0]?.group : undefined;
      if (group !== undefined) told.add(destination, group);
      if (result.kind === 'routed') lanes.unpark(key);
      else unroutable.end(key, result);
      handout.offer();
    },
  });
  const obstacles = new Obstacles({
    lanes,
    blocked,
    standings,
    out,
    deliveries,
    clock,
    leaseMs,
    endLeases: deps.endLeases,
    mark,
  });
  const handout: RemoteHandout = new RemoteHandout({
    owner,
    leaseMs,
    lanes,
    routes,
    standings,
    obstacles,
    unroutable,
    claims,
    out,
    groups,
    ownership,
    limitRules: deps.limitRules,
    bus,
    clock,
    random,
    metrics,
    mark,
  });
  const loader: Loader = new Loader({
    deliveries,
    destinations: 'remote',
    ownership,
    window: lanes,
    limits: remoteLoadLimits,
    skips: () => obstacles.skips(),
    clock,
    log,
    claiming: () => claims.ids(),
    onRows: () => handout.offer(),
  });
  const ticks = new Periodic({
    name: 'destinations',
    intervalMs: remoteLimits.tickMs,
    clock,
    log,
    task: async () => {
      await obstacles.tick();
      await told.tell();
      handout.offer();
    },
  });

  return {
    loader,
    start(): void {
      loader.start();
      ticks.start();
    },
    async stop(): Promise<void> {
      routes.stop();
      await Promise.all([loader.stop(), ticks.stop(), unroutable.stop()]);
    },
    /** Pulls get nothing from now on. */
    close: () => handout.close(),
    pull: (request: RequestOf<'queue.pull'>, signal: AbortSignal) => handout.pull(request, signal),
    dropPartitions: (partitions: readonly number[]) => lanes.dropPartitions(partitions),
    settled(token: string): void {
      if (obstacles.settled(token)) handout.offer();
    },
    /** Rows, pauses or limits of destinations in these partitions have changed. */
    changed(partitions: readonly number[]): void {
      obstacles.lookAgain(partitions);
      ticks.kick();
    },
    gauges: {
      rows: () => lanes.size,
      lanes: () => lanes.lanes,
      ready: () => handout.readyRows(),
      blocked: () => blocked.size,
      batchesOut: () => out.size,
      routes: () => routes.size,
      lookUps: () => routes.pending,
      restingGroups: () => standings.resting(),
      inFlight: () => out.rowsByGroup(),
    },
  };
}

export type Remote = ReturnType<typeof createRemote>;
