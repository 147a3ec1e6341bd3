import { MongoClient } from 'mongodb';
import { type ServiceName, serviceNames } from '../../services/service-names.ts';
import { startCluster } from '../support/cluster.ts';
import type { System } from '../support/system.ts';
import { startWaypost } from '../support/waypost-process.ts';
import type { Figures, Options } from './figures.ts';
import { childrenNamed } from './process-cost.ts';

/** What is measured: one process, or the services of a cluster with the servers under them. */
export interface MeasuredSystem extends Pick<System, 'api' | 'admin' | 'dispose'> {
  smtpPorts: readonly number[];
  /** Of everything that does the work, MongoDB and NATS included. */
  pids: readonly number[];
  /** Runs `work`; of a cluster it prints what MongoDB's primary was asked for each of `messages`. */
  counted(messages: number, work: () => Promise<Figures>): Promise<Figures>;
}

export async function startMeasured(
  { mode, copies }: Pick<Options, 'mode' | 'copies'>,
  services: readonly ServiceName[] = serviceNames,
): Promise<MeasuredSystem> {
  if (mode === 'embedded') {
    const waypost = await startWaypost({}, services);
    return { ...systemOf(waypost), smtpPorts: [waypost.ports.mx], pids: [waypost.pid], counted: (_, work) => work() };
  }
  const absent = serviceNames.filter((name) => !services.includes(name)).map((name) => [name, 0] as const);
  const cluster = await startCluster({ members: 3, copies: { ...copies, ...Object.fromEntries(absent) } });
  const pids = [...cluster.pids(), ...childrenNamed(['mongod', 'nats-server'])];
  return {
    ...systemOf(cluster),
    smtpPorts: cluster.services.ingress.map(({ ports }) => ports.mx),
    pids,
    counted: (messages, work) => countOperations(cluster.adminUrl, messages, work),
  };
}

const systemOf = ({ api, admin, dispose }: System): Pick<System, 'api' | 'admin' | 'dispose'> => ({
  api,
  admin,
  dispose,
});

async function countOperations(adminUrl: string, messages: number, work: () => Promise<Figures>): Promise<Figures> {
  await using client = new MongoClient(adminUrl);
  const before = await operations(client);
  const figures = await work();
  const after = await operations(client);
  const each = Object.entries(after).map(([name, count]) => [
    name,
    ((count - (before[name] ?? 0)) / messages).toFixed(3),
  ]);
  console.log(`MongoDB, for each message: ${each.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  return figures;
}

/** Commands and documents of the primary so far. */
async function operations(client: MongoClient): Promise<Record<string, number>> {
  const status = await client.db('admin').command({ serverStatus: 1 });
  const { insert, query, update, delete: removed, getmore, command } = status['opcounters'];
  const { inserted, updated, deleted, returned } = status['metrics'].document;
  const { totalCommitted } = status['transactions'];
  return { insert, query, update, removed, getmore, command, inserted, updated, deleted, returned, totalCommitted };
}
