import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { writeMongoUsers } from '../../deploy/rights/mongodb-users.ts';
import { writeNatsUsers } from '../../deploy/rights/nats-users.ts';
import { rights } from '../../deploy/rights/table.ts';
import { type ServiceName, serviceNames } from '../../services/service-names.ts';
import { startProxy } from '../../tools/cluster/proxy.ts';
import { createAdministrator } from '../../tools/servers/mongo-administrator.ts';
import { type MongoReplicaSet, mongoReplicaSet } from '../backends/mongo.ts';
import { type NatsServer, natsServer } from '../backends/nats.ts';
import { freshDatabase } from '../backends/require.ts';
import { freePorts } from './free-ports.ts';
import { type CommandResult, runCommand } from './run-command.ts';
import { type ServiceProcess, serviceProcess } from './service-process.ts';
import type { System } from './system.ts';
import { adminPassword, smtpListeners } from './waypost-process.ts';

export interface ClusterOptions {
  environment?: Readonly<Record<string, string>>;
  /** Processes of each service; default 1. */
  copies?: Partial<Record<ServiceName, number>>;
  /** Three: a set of its own, for tests that kill members. Default: one member, shared by the clusters of a test file. */
  members?: 1 | 3;
}

/** The five services over MongoDB and NATS with the users of deploy/rights, and the path proxy, all for one test. */
export interface ClusterSystem extends System {
  services: Readonly<Record<ServiceName, readonly ClusterCopy[]>>;
  mongo: MongoReplicaSet;
  nats: NatsServer;
  /** Of somebody who makes users, and may see what the servers do. */
  adminUrl: string;
  /** `waypost doctor --verify` over all that is stored, as a user who may read all of it. */
  verify(): Promise<CommandResult>;
}

export interface ClusterCopy extends ServiceProcess {
  ports: System['ports'];
}

/** Starts all of it, in the order in which an operator would. @throws BackendUnavailable */
export async function startCluster(options: ClusterOptions = {}): Promise<ClusterSystem> {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-cluster-'));
  const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const dispose = async (): Promise<void> => {
    for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close();
  };
  try {
    return await start(options, folder, closing, dispose);
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function start(
  options: ClusterOptions,
  folder: string,
  closing: (() => unknown)[],
  dispose: () => Promise<void>,
): Promise<ClusterSystem> {
  const set = await (options.members === 3 ? ownSet(closing) : sharedSet());
  const database = freshDatabase();
  const rightsFolder = join(folder, 'rights');
  await writeMongoUsers(rights, { adminUrl: set.adminUrl, database, folder: rightsFolder });
  const nats = await natsServer({ config: writeNatsUsers(rights, rightsFolder).config });
  closing.push(() => nats.stop());
  const access = (user: string): Record<string, string> => ({
    WAYPOST_MONGODB_URL_FILE: join(rightsFolder, `${user}.mongodb-url`),
    WAYPOST_NATS_URL: nats.url,
    WAYPOST_NATS_NKEY_FILE: join(rightsFolder, `${user}.nkey`),
  });
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  await migrate({ ...access('migrate'), WAYPOST_DATA_DIR: dataDir });

  const copies = await makeCopies(options, dataDir, access);
  const all = Object.values(copies).flat();
  closing.push(() => Promise.all(all.map((copy) => copy.kill())));
  // As in any cluster they start at the same time.
  await Promise.all(all.map((copy) => copy.start()));
  const proxy = await startProxy({
    listen: { host: '127.0.0.1', port: 0 },
    copiesOf: (service) =>
      copies[service].filter((copy) => copy.isRunning()).map(({ ports }) => ({ host: '127.0.0.1', port: ports.http })),
    trustedProxies: [],
  });
  closing.push(() => proxy.close(0));
  const [ingress] = copies.ingress;
  return {
    ports: { ...ingress!.ports, http: proxy.address.port },
    api: `http://127.0.0.1:${proxy.address.port}`,
    dataDir,
    admin: { address: 'admin@example.test', password: adminPassword },
    pids: () => all.map(({ pid }) => pid),
    metrics: async () => (await Promise.all(all.map(metricsOf))).join('\n'),
    output: () => all.map((copy) => copy.stdout() + copy.stderr()).join(''),
    kill: async () => void (await Promise.all(all.map((copy) => copy.kill()))),
    restart: async () => void (await Promise.all(all.map((copy) => copy.start()))),
    dispose,
    services: copies,
    mongo: set.mongo,
    nats,
    adminUrl: set.adminUrl,
    verify: async () =>
      runCommand(process.execPath, ['bin/waypost.js', 'doctor', '--verify', '--json'], {
        env: {
          WAYPOST_MONGODB_URL: await readerUrl(set.adminUrl, database),
          WAYPOST_NATS_URL: nats.url,
          WAYPOST_DATA_DIR: dataDir,
        },
      }),
  };
}

async function makeCopies(
  { environment = {}, copies = {} }: ClusterOptions,
  dataDir: string,
  access: (user: string) => Record<string, string>,
): Promise<ClusterSystem['services']> {
  const count = (service: ServiceName): number => copies[service] ?? 1;
  // All at once, so that they differ.
  const free = await freePorts(serviceNames.reduce((sum, service) => sum + count(service), 0) * 6);
  const copyOf = (service: ServiceName): ClusterCopy => {
    const [mx, submission, submissions, lmtp, http, ops] = free.splice(0, 6);
    const ports = { mx: mx!, submission: submission!, submissions: submissions!, lmtp: lmtp!, http: http!, ops: ops! };
    const env = {
      ...access(service),
      WAYPOST_DATA_DIR: dataDir,
      ...smtpListeners(ports),
      WAYPOST_HTTP_LISTEN: `127.0.0.1:${ports.http}`,
      WAYPOST_OPS_LISTEN: `127.0.0.1:${ports.ops}`,
      WAYPOST_TRUSTED_PROXIES: '127.0.0.1',
      WAYPOST_ADMIN_PASSWORD: adminPassword,
      WAYPOST_LOG_LEVEL: 'warn',
      ...environment,
    };
    return withPorts(serviceProcess({ services: [service], env, opsPort: ports.ops }), ports);
  };
  const of = (service: ServiceName): ClusterCopy[] => Array.from({ length: count(service) }, () => copyOf(service));
  return {
    auth: of('auth'),
    queue: of('queue'),
    mailbox: of('mailbox'),
    delivery: of('delivery'),
    ingress: of('ingress'),
  };
}

interface OpenSet {
  mongo: MongoReplicaSet;
  adminUrl: string;
}

let shared: Promise<OpenSet> | undefined;

/** One for the clusters of this process, each with a database of its own. Its watchdog ends it with the process. */
function sharedSet(): Promise<OpenSet> {
  shared ??= openSet(1);
  return shared;
}

async function ownSet(closing: (() => unknown)[]): Promise<OpenSet> {
  const set = await openSet(3);
  closing.push(() => set.mongo.stop());
  return set;
}

async function openSet(members: 1 | 3): Promise<OpenSet> {
  const mongo = await mongoReplicaSet({ members, accessControl: true });
  const adminUrl = await createAdministrator(mongo.url, 'administrator', randomBytes(12).toString('hex'));
  return { mongo, adminUrl };
}

async function migrate(env: Readonly<Record<string, string>>): Promise<void> {
  const { code, stdout, stderr } = await runCommand(process.execPath, ['services/cli/main.ts', 'migrate'], { env });
  if (code !== 0) throw new Error(`waypost migrate ended with ${code}:\n${stdout}${stderr}`);
}

/** Of a user who may read all of `database`, and nothing else. */
async function readerUrl(adminUrl: string, database: string): Promise<string> {
  const password = randomBytes(12).toString('hex');
  const user = `reader-${password.slice(0, 8)}`;
  await using client = new MongoClient(adminUrl);
  await client.db(database).command({ createUser: user, pwd: password, roles: ['read'] });
  return adminUrl
    .replace(/\/\/[^@]*@/, `//${user}:${password}@`)
    .replace('/?', `/${database}?`)
    .replace('authSource=admin', `authSource=${database}`);
}

async function metricsOf(copy: ClusterCopy): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${copy.ports.ops}/metrics`).catch(() => undefined);
  return answer === undefined ? '' : answer.text();
}

/** Not a copy of its fields: `pid` changes with each start. */
function withPorts(process: ServiceProcess, ports: System['ports']): ClusterCopy {
  return Object.defineProperty(Object.create(process), 'ports', { value: ports });
}
