import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lockDataDirectory } from '../../libs/store/sqlite/engine/lock.ts';
import type { ServiceName } from '../../services/service-names.ts';
import type { Watchdog } from '../servers/watchdog.ts';
import { startBackends } from './backends.ts';
import { migrate } from './migrate.ts';
import { describeCluster, describeLostAccounts } from './notice.ts';
import type { ClusterPlan } from './plan.ts';
import { type Proxy, startProxy } from './proxy.ts';
import { type RunningCopy, serviceProcess } from './services.ts';
import type { Surroundings, SupervisedProcess } from './supervised-process.ts';

export interface Cluster {
  /** What is printed when all is ready. */
  notice: string;
  stop(): Promise<void>;
}

/**
 * Starts everything of the plan: MongoDB and NATS, `waypost migrate`, the services, the path proxy. When a part can't start, those that have are stopped.
 * @throws DataDirectoryInUse, DidNotStart, CannotListen…; StartAbandoned when the signal aborts
 */
export async function startCluster(
  plan: ClusterPlan,
  watchdog: Watchdog,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Cluster> {
  const { folder, config } = plan;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = lockDataDirectory(join(folder, 'cluster.lock'));
  const around: Surroundings = { watchdog, logFolder: join(folder, 'logs'), say };
  const servers: SupervisedProcess[] = [];
  let running: readonly RunningCopy[] = [];
  let proxy: Proxy | undefined;

  const stop = async (): Promise<void> => {
    const graceMs = config.gracePeriodMs;
    await stopServices(running, proxy, graceMs);
    // What the bus and the store hold is for the services, so they go last.
    await stopAll(
      servers.filter(({ name }) => name === 'nats-server'),
      serverGraceMs,
    );
    await stopAll(servers, serverGraceMs);
    lock.release();
  };

  try {
    say('starting MongoDB and NATS');
    const backends = await startBackends(folder, around, (server) => servers.push(server));
    abandonWhen(signal);
    await migrate(plan, backends);
    abandonWhen(signal);
    say('starting the services');
    running = plan.copies.map((copy) => serviceProcess(copy, plan, backends, around));
    await startServices(running);
    abandonWhen(signal);
    const copiesOf = (service: ServiceName) =>
      running.filter(({ copy }) => copy.service === service).flatMap(({ told }) => told()?.addresses.http ?? []);
    if (config.httpListen !== 'off') {
      proxy = await startProxy({ listen: config.httpListen, copiesOf, trustedProxies: config.trustedProxies });
    }
    const notice = describeCluster(plan, backends, running, proxy?.address);
    return { notice, stop };
  } catch (error) {
    process.stdout.write(describeLostAccounts(running));
    await stop();
    throw error;
  }
}

/** Ctrl-C before all was ready. */
export class StartAbandoned extends Error {
  override readonly name = 'StartAbandoned';
}

function abandonWhen(signal: AbortSignal): void {
  if (signal.aborted) throw new StartAbandoned('stopped before all was ready');
}

const serverGraceMs = 20_000;
/** Longer than a service gives itself (libs/runtime/shutdown.ts). */
const servicePatienceMs = 6_000;

/** The first copies make what there is to make: the accounts, the certificate. */
async function startServices(running: readonly RunningCopy[]): Promise<void> {
  const start = (copies: readonly RunningCopy[]) => Promise.all(copies.map(({ process }) => process.start()));
  await start(running.filter(({ copy }) => copy.first));
  await start(running.filter(({ copy }) => !copy.first));
}

/** Those that clients are connected to end first, with the proxy: the others answer them until then. */
async function stopServices(running: readonly RunningCopy[], proxy: Proxy | undefined, graceMs: number): Promise<void> {
  const inner: readonly ServiceName[] = ['queue', 'auth'];
  const of = (isInner: boolean) =>
    running.filter(({ copy }) => inner.includes(copy.service) === isInner).map(({ process }) => process);
  await Promise.all([proxy?.close(graceMs), stopAll(of(false), graceMs + servicePatienceMs)]);
  await stopAll(of(true), graceMs + servicePatienceMs);
}

async function stopAll(processes: readonly SupervisedProcess[], graceMs: number): Promise<void> {
  await Promise.all(processes.map((process) => process.stop(graceMs)));
}
