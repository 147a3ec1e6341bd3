import type { Registry } from 'prom-client';
import type { Blobs } from '../../libs/blobs/port.ts';
import type { Bus } from '../../libs/bus/port.ts';
import type { Config } from '../../libs/config/load.ts';
import { createSigner } from '../../libs/mail/dkim/signer.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import { type ScheduleConfig, scheduleOfRoute } from '../../libs/delivery/schedules.ts';
import { loginOfRoute } from '../../libs/routing/operator-route.ts';
import { ByteBudget } from '../../libs/runtime/byte-budget.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { createSecretBox } from '../../libs/runtime/secret-box.ts';
import type { Readiness, Service } from '../../libs/runtime/service.ts';
import type { TimeLimits } from '../../libs/smtp/client/time-limits.ts';
import { StoreHealth } from '../../libs/store/health.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { DkimKeys } from '../../libs/store/ports/dkim-keys.ts';
import type { Groups } from '../../libs/store/ports/groups.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';
import { Health } from './health.ts';
import { deliveryLimits } from './limits.ts';
import { convert } from './message/convert.ts';
import { deliveryGauges, deliveryMetrics } from './metrics.ts';
import { Permits } from './permits.ts';
import { Recorder } from './recorder.ts';
import { Sessions } from './send/sessions.ts';
import { RemoteWorker } from './worker.ts';

export interface DeliveryDeps {
  config: ScheduleConfig & Pick<Config, 'hostname' | 'deliveryLeaseMs' | 'secretsKeys'>;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  bus: Bus;
  spool: Spool;
  deliveries: Deliveries;
  groups: Groups;
  blobs: Blobs;
  dkimKeys: Pick<DkimKeys, 'active'>;
  /** In [0, 1); default Math.random. */
  random?: () => number;
  /** What tests set shorter; defaults: limits.ts and RFC 5321's. */
  settings?: { batches?: number; idleMs?: number; timeLimits?: Partial<TimeLimits>; ca?: string };
}

/** The service that sends mail to other servers. It keeps nothing: rows, leases, permits and outcomes are in the store. */
export function createDelivery(deps: DeliveryDeps): Service {
  const { bus } = deps;
  const { worker, sessions, permits, health, recorder } = createParts(deps);
  const storeHealth = new StoreHealth({ ...deps, probe: (timeoutMs) => deps.spool.probe(timeoutMs) });
  let state: 'new' | 'running' | 'stopping' = 'new';
  return {
    name: 'delivery',
    async start() {
      permits.start();
      health.start();
      storeHealth.start();
      worker.start();
      state = 'running';
    },
    async stop(graceMs) {
      state = 'stopping';
      await Promise.all([sessions.closeIdle(), worker.stop(graceMs)]);
      await sessions.close(deliveryLimits.closingMs);
      await Promise.all([recorder.close(), permits.stop(), health.stop(), storeHealth.stop()]);
    },
    readiness: () => readiness(state, storeHealth, bus),
  };
}

function readiness(state: 'new' | 'running' | 'stopping', health: StoreHealth, bus: Bus): Readiness {
  const degraded = bus.status() === 'down' ? ['nats'] : [];
  if (state !== 'running') return { ready: false, degraded, reason: state === 'new' ? 'not started' : 'shutting down' };
  return health.good ? { ready: true, degraded } : { ready: false, degraded, reason: 'the store does not commit' };
}

function createParts(deps: DeliveryDeps) {
  const { config, settings = {} } = deps;
  const name = `delivery-${newId()}`;
  const metrics = deliveryMetrics(deps.metrics);
  const sessions = new Sessions(settings.idleMs === undefined ? {} : { idleMs: settings.idleMs });
  const permits = new Permits({ ...deps, holder: name, leaseMs: config.deliveryLeaseMs, metrics });
  const health = new Health(deps);
  const recorder = new Recorder(deps);
  const signer = createSigner({ ...deps, secrets: createSecretBox(config.secretsKeys) });
  const budget = new ByteBudget(deliveryLimits.wholeBytes);
  const worker = new RemoteWorker({
    ...deps,
    ...settings,
    name,
    heloName: config.hostname,
    loginOf: (route) => loginOfRoute(config.routes, route),
    scheduleOf: (route) => ({
      stepsMs: scheduleOfRoute(route, config).retryScheduleMs,
      random: deps.random ?? Math.random,
    }),
    sign: (message, context) => signer.sign(message, context),
    sessions,
    permits,
    health,
    recorder,
    budget,
    convert,
    metrics,
  });
  deliveryGauges(deps.metrics, {
    batches: () => worker.batchesUnderWay,
    open: () => sessions.open,
    idle: () => sessions.idle,
    permits: () => permits.held,
    heldBytes: () => budget.held,
    outcomesWaiting: () => recorder.waiting,
  });
  return { worker, sessions, permits, health, recorder };
}
