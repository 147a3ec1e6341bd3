import { MongoClient } from 'mongodb';
import type { MongoMember } from './mongo.ts';
import { until } from './until.ts';

const START_LIMIT_MS = 60_000;
export const SET_NAME = 'rs0';

/**
 * Makes one replica set of fresh mongods and waits until it has a primary that takes a majority write and all members have caught up.
 * @param hosts `host:port` of each member, as this process and the members reach it
 * @param isRunning false ends the wait
 */
export async function initiateSet(hosts: readonly string[], isRunning: () => boolean): Promise<void> {
  for (const host of hosts) await until(`${host} answers`, START_LIMIT_MS, () => hello(host), isRunning);
  await initiate(hosts);
  await until(
    'the replica set has a primary and all members follow',
    START_LIMIT_MS,
    () => isSettled(hosts),
    isRunning,
  );
}

/** `host:port` of the primary. */
async function primaryOf(hosts: readonly string[]): Promise<string> {
  return until('a primary', 30_000, async () => {
    const answers = await Promise.all(hosts.map((host) => hello(host).catch(() => undefined)));
    return hosts.find((_, index) => answers[index]?.['isWritablePrimary'] === true);
  });
}

export async function primaryMember(members: readonly MongoMember[]): Promise<MongoMember> {
  const host = await primaryOf(members.map((member) => member.host));
  const member = members.find((candidate) => candidate.host === host);
  if (member === undefined) throw new Error(`${host} is no member`);
  return member;
}

export function setUrl(hosts: readonly string[]): string {
  return `mongodb://${hosts.join(',')}/?replicaSet=${SET_NAME}`;
}

async function initiate(hosts: readonly string[]): Promise<void> {
  const members = hosts.map((host, _id) => ({ _id, host }));
  // Half of the default, so that failover tests take seconds; not less, or a busy machine elects for no reason.
  const settings = { electionTimeoutMillis: 5000 };
  await direct(hosts[0] ?? '', (client) =>
    client.db('admin').command({ replSetInitiate: { _id: SET_NAME, members, settings } }),
  );
}

async function isSettled(hosts: readonly string[]): Promise<true | undefined> {
  const primary = await primaryOf(hosts);
  return direct(primary, async (client) => {
    const status = await client.db('admin').command({ replSetGetStatus: 1 });
    const states: unknown = status['members'];
    const settled = Array.isArray(states) && states.every(({ state }) => state === 1 || state === 2);
    if (!settled) return undefined;
    const probe = client.db('waypost_probe');
    await probe.collection('probe').insertOne({}, { writeConcern: { w: 'majority', j: true, wtimeoutMS: 10_000 } });
    await probe.dropDatabase();
    return true;
  });
}

function hello(host: string): Promise<Record<string, unknown>> {
  return direct(host, (client) => client.db('admin').command({ hello: 1 }));
}

async function direct<T>(host: string, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(`mongodb://${host}/?directConnection=true`, {
    serverSelectionTimeoutMS: 2000,
    connectTimeoutMS: 2000,
    socketTimeoutMS: 15_000,
  });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
