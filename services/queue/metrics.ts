import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { deliveryStates } from '../../libs/delivery/state.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { remoteLimits } from './remote/limits.ts';

export interface QueueMetrics {
  takeovers: Counter;
  expiredLeases: Counter;
  handedOut: Counter<'kind'>;
  batchRows: Histogram<'kind'>;
  reports: Counter<'result'>;
  notices: Counter<'kind' | 'result'>;
  routings: Counter<'result'>;
}

/** What is read when Prometheus asks. */
export interface QueueGauges {
  windowRows: () => number;
  windowDestinations: () => number;
  readyRows: () => number;
  partitionsHeld: () => number;
  claimsOut: () => number;
  blockedDestinations: () => number;
  restingGroups: () => number;
  routes: () => number;
  lookUps: () => number;
  /** Rows in the hands of workers, by group. */
  inFlight: () => ReadonlyMap<string, number>;
}

export function queueMetrics(registry: Registry): QueueMetrics {
  const registers = [registry];
  return {
    takeovers: new Counter({
      name: 'waypost_queue_takeovers_total',
      help: 'Partitions taken over from an owner whose lease had ended.',
      registers,
    }),
    expiredLeases: new Counter({
      name: 'waypost_queue_expired_leases_total',
      help: 'Leased deliveries that came back because their lease had ended without an outcome.',
      registers,
    }),
    handedOut: new Counter({
      name: 'waypost_queue_handed_out_total',
      help: 'Deliveries claimed and handed to workers.',
      labelNames: ['kind'],
      registers,
    }),
    batchRows: new Histogram({
      name: 'waypost_queue_batch_rows',
      help: 'Deliveries in a batch that was handed out.',
      labelNames: ['kind'],
      buckets: [1, 2, 5, 10, 25, 50, 100, 200, 400, 1000],
      registers,
    }),
    reports: new Counter({
      name: 'waypost_queue_reports_total',
      help: 'Ends of failed deliveries: the sender was sent a report, wished none, or could not be told.',
      labelNames: ['result'],
      registers,
    }),
    notices: new Counter({
      name: 'waypost_queue_notices_total',
      help: 'Senders told of a delay, or of a success that they asked to be told of.',
      labelNames: ['kind', 'result'],
      registers,
    }),
    routings: new Counter({
      name: 'waypost_queue_routings_total',
      help: 'Look-ups of the way of a destination, by what came of it.',
      labelNames: ['result'],
      registers,
    }),
  };
}

/** Gauges of this owner, and those of the whole queue, which every owner shows alike (take the largest, not the sum). */
export function queueGauges(
  registry: Registry,
  deps: { deliveries: Deliveries; clock: Clock; gauges: QueueGauges },
): void {
  const { deliveries, clock, gauges } = deps;
  ownGauge(registry, 'waypost_queue_ready', 'Deliveries that this owner could hand out now.', gauges.readyRows);
  ownGauge(registry, 'waypost_queue_window_rows', 'Due deliveries in the window of this owner.', gauges.windowRows);
  ownGauge(
    registry,
    'waypost_queue_window_destinations',
    'Destinations in the window of this owner.',
    gauges.windowDestinations,
  );
  ownGauge(
    registry,
    'waypost_queue_partitions_held',
    'Partitions that this owner holds a lease of.',
    gauges.partitionsHeld,
  );
  ownGauge(
    registry,
    'waypost_queue_claims_out',
    'Batches handed out whose end this owner has not heard of.',
    gauges.claimsOut,
  );
  ownGauge(
    registry,
    'waypost_queue_blocked_destinations',
    'Destinations that this owner leaves alone: paused, or their group rests.',
    gauges.blockedDestinations,
  );
  ownGauge(registry, 'waypost_queue_resting_groups', 'Groups known to rest or to be paused.', gauges.restingGroups);
  ownGauge(registry, 'waypost_queue_routes', 'Ways of destinations that are remembered.', gauges.routes);
  ownGauge(registry, 'waypost_queue_routings_pending', 'Look-ups of ways under way or waiting.', gauges.lookUps);
  new Gauge({
    name: 'waypost_queue_in_flight',
    help: `Deliveries in the hands of workers, for the ${remoteLimits.namedGroups} groups that have most; all others are \`other\`.`,
    labelNames: ['group'],
    registers: [registry],
    collect() {
      this.reset();
      const most = [...gauges.inFlight()].toSorted(([, a], [, b]) => b - a);
      const others = most.splice(remoteLimits.namedGroups).reduce((sum, [, rows]) => sum + rows, 0);
      for (const [group, rows] of most) this.set({ group }, rows);
      this.set({ group: 'other' }, others);
    },
  });

  new Gauge({
    name: 'waypost_queue_oldest_due_seconds',
    help: 'How long the delivery that waits longest has been due.',
    registers: [registry],
    async collect() {
      const counts = await readCounts(deliveries);
      this.set(counts?.oldestDueAt === undefined ? 0 : Math.max(0, clock.nowMs() - counts.oldestDueAt) / 1000);
    },
  });
  new Gauge({
    name: 'waypost_queue_deliveries',
    help: 'Deliveries by state, finished ones as long as they are kept.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      const counts = await readCounts(deliveries);
      // Without the store there are no figures, which is not the same as zero.
      if (counts === undefined) this.reset();
      else for (const state of deliveryStates) this.set({ state }, counts.byState[state]);
    },
  });
}

/** Undefined while the store can't be reached: all other metrics must still be shown, then more than ever. */
function readCounts(deliveries: Deliveries): Promise<Awaited<ReturnType<Deliveries['counts']>> | undefined> {
  return deliveries.counts().catch(() => undefined);
}

function ownGauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}
