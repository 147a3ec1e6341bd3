import { tmpdir } from 'node:os';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { StartedTestContainer } from 'testcontainers';
import { dockerImage, testcontainers } from './docker.ts';
import type { MongoMember, MongoReplicaSet } from '../../tools/servers/replica-set.ts';
import { initiateSet, primaryMember, SET_NAME, setUrl } from '../../tools/servers/mongo-set.ts';
import { startWatchdog } from '../../tools/servers/watchdog.ts';

const IMAGE = 'mongo:6';
const PORT = 27017;

/**
 * A replica set of containers that know each other by the addresses of a network of their own, which a Linux host reaches too. (A mapped
 * port would change when a member is started again.)
 */
export async function mongoContainers(count: number): Promise<MongoReplicaSet> {
  if (process.platform !== 'linux') throw new Error("container addresses can't be reached from this kind of host");
  await dockerImage(IMAGE);
  const { GenericContainer, Network, Wait, getContainerRuntimeClient } = await testcontainers();
  const watchdog = startWatchdog(mkdtempSync(join(tmpdir(), 'waypost-mongo-')));
  const network = await new Network().start();
  watchdog.watchNetwork(network.getId());
  const runtime = await getContainerRuntimeClient();
  const containers: StartedTestContainer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(
      containers.map((container) => runtime.container.getById(container.getId()).remove({ force: true, v: true })),
    );
    await network.stop();
    await watchdog.finish();
  };
  try {
    for (let i = 0; i < count; i++) {
      const container = await new GenericContainer(IMAGE)
        .withCommand([
          'mongod',
          '--replSet',
          SET_NAME,
          '--bind_ip_all',
          '--wiredTigerCacheSizeGB',
          '0.25',
          '--oplogSize',
          '128',
        ])
        .withNetwork(network)
        .withExposedPorts(PORT)
        .withWaitStrategy(Wait.forLogMessage(/Waiting for connections/))
        .withStartupTimeout(60_000)
        .start();
      watchdog.watchContainer(container.getId());
      containers.push(container);
    }
    const members = containers.map((container): MongoMember => {
      const control = runtime.container.getById(container.getId());
      return {
        host: `${container.getIpAddress(network.getName())}:${PORT}`,
        kill: async () => void (await control.kill()),
        start: async () => void (await control.start()),
        pause: async () => void (await control.pause()),
        resume: async () => void (await control.unpause()),
      };
    });
    const hosts = members.map(({ host }) => host);
    await initiateSet(hosts, () => true);
    return { url: setUrl(hosts), members, primary: () => primaryMember(members), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
