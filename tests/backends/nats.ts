import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverBinary } from '../../tools/servers/binaries.ts';
import { dockerImage, testcontainers } from './docker.ts';
import { natsInfo } from '../../tools/servers/nats-info.ts';
import { freePorts, serverProcess } from '../../tools/servers/server-process.ts';
import { firstOpenWay, type Way } from './unavailable.ts';
import { until } from '../../tools/servers/until.ts';
import { startWatchdog } from '../../tools/servers/watchdog.ts';

export interface NatsServer {
  url: string;
  /** Undefined when the address was given: it is not ours to kill. */
  control: NatsControl | undefined;
  /** Ends what was started and removes its data. */
  stop(): Promise<void>;
}

export interface NatsControl {
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at the same address with its data, and waits until it answers. */
  start(): Promise<void>;
  /** Freezes it (SIGSTOP) and lets it go on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Deletes all its data; only while it is killed, and not in a container (ask for a process). */
  wipe(): Promise<void>;
}

export interface NatsOptions {
  /** A server of one's own, for tests that kill it. Default false. */
  own?: boolean;
  /** A process of one's own, never a container: its data can be wiped. */
  process?: boolean;
  /** A configuration file of nats-server (users, TLS). Always a process of one's own. */
  config?: string;
  /** More arguments of nats-server. Always a process of one's own. */
  args?: readonly string[];
  /** False: a server without it. Always a process of one's own. Default true. */
  jetstream?: boolean;
}

/**
 * A real nats-server with JetStream: WAYPOST_TEST_NATS_URL, else a container where a Docker engine answers, else a process on loopback.
 * @throws BackendUnavailable
 */
export async function natsServer(options: NatsOptions = {}): Promise<NatsServer> {
  const address = process.env['WAYPOST_TEST_NATS_URL'];
  const ways: Way<NatsServer>[] = [
    { name: 'Docker', open: natsContainer },
    { name: 'nats-server', open: () => natsProcess({}) },
  ];
  const { config, args, jetstream } = options;
  if (options.process === true || config !== undefined || args !== undefined || jetstream === false) {
    return firstOpenWay('NATS', [{ name: 'nats-server', open: () => natsProcess(options) }]);
  }
  if (address === undefined || options.own === true) return firstOpenWay('NATS', ways);
  return firstOpenWay('NATS', [{ name: 'WAYPOST_TEST_NATS_URL', open: () => given(address), asked: true }]);
}

async function given(url: string): Promise<NatsServer> {
  await until('the server answers', 10_000, () => natsInfo(url));
  return { url, control: undefined, stop: () => Promise.resolve() };
}

async function natsProcess({ config, args: more = [], jetstream = true }: NatsOptions): Promise<NatsServer> {
  const binary = await serverBinary('nats-server');
  const [port = 0] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), 'waypost-nats-'));
  const watchdog = startWatchdog(folder);
  const data = join(folder, 'data');
  const args = ['--addr', '127.0.0.1', '--port', String(port), ...more];
  if (jetstream) args.push('--jetstream', '--store_dir', data);
  if (config !== undefined) args.push('--config', config);
  const server = serverProcess(binary, args, join(folder, 'log'), watchdog);
  const url = `nats://127.0.0.1:${port}`;
  const start = async (): Promise<void> => {
    server.start();
    await until(
      'nats-server answers',
      15_000,
      () => natsInfo(url, { jetstream }),
      () => server.isRunning(),
    );
  };
  try {
    await start();
  } catch (error) {
    await watchdog.finish();
    throw error;
  }
  const control = {
    kill: () => server.kill(),
    start,
    pause: () => Promise.resolve(server.pause()),
    resume: () => Promise.resolve(server.resume()),
    wipe: () => Promise.resolve(rmSync(data, { recursive: true, force: true })),
  };
  return { url, control, stop: () => watchdog.finish() };
}

const IMAGE = 'nats:2.15';

async function natsContainer(): Promise<NatsServer> {
  if (process.platform !== 'linux') throw new Error("container addresses can't be reached from this kind of host");
  await dockerImage(IMAGE);
  const { GenericContainer, Network, Wait, getContainerRuntimeClient } = await testcontainers();
  const watchdog = startWatchdog(mkdtempSync(join(tmpdir(), 'waypost-nats-')));
  const network = await new Network().start();
  watchdog.watchNetwork(network.getId());
  const container = await new GenericContainer(IMAGE)
    .withCommand(['--jetstream'])
    .withNetwork(network)
    .withExposedPorts(4222)
    .withWaitStrategy(Wait.forLogMessage(/Server is ready/))
    .withStartupTimeout(30_000)
    .start();
  watchdog.watchContainer(container.getId());
  const handle = (await getContainerRuntimeClient()).container.getById(container.getId());
  const url = `nats://${container.getIpAddress(network.getName())}:4222`;
  const stop = async (): Promise<void> => {
    await handle.remove({ force: true, v: true });
    await network.stop();
    await watchdog.finish();
  };
  const answers = async (): Promise<void> => void (await until('nats-server answers', 15_000, () => natsInfo(url)));
  try {
    await answers();
  } catch (error) {
    await stop();
    throw error;
  }
  const control = {
    kill: async () => void (await handle.kill()),
    start: async () => {
      await handle.start();
      await answers();
    },
    pause: async () => void (await handle.pause()),
    resume: async () => void (await handle.unpause()),
    wipe: () => Promise.reject(new Error('the data of a container stays: ask for a process')),
  };
  return { url, control, stop };
}
