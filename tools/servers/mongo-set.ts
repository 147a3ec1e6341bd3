import { MongoClient } from 'mongodb';
import { until } from './until.ts';

const START_LIMIT_MS = 60_000;
export const SET_NAME = 'rs0';

/**
 * Makes one replica set of fresh mongods and waits until it has a primary that takes a majority write and all members have caught up. A set that was made
 * before is waited for only.
 * @param hosts `host:port` of each member, as this process and the members reach it
 * @param isRunning false ends the wait
 */
export async function initiateSet(
  hosts: readonly string[],
  isRunning: () => boolean,
  { accessControl = false }: { accessControl?: boolean } = {},
): Promise<void> {
  const names: unknown[] = [];
  for (const host of hosts) {
    names.push(
      await until(`${host} answers`, START_LIMIT_MS, async () => (await memberHello(host))['setName'] ?? '', isRunning),
    );
  }
  if (names.every((name) => name === '')) await initiate(hosts);
  const settled = 'the replica set has a primary and all members follow';
  const primary = await until(settled, START_LIMIT_MS, () => settledPrimary(hosts), isRunning);
  // With access control nobody may write yet; the first user is made with a majority write.
  if (!accessControl) await probe(primary);
}

/** `host:port` of the primary. */
async function primaryOf(hosts: readonly string[]): Promise<string> {
  return until('a primary', 30_000, async () => {
    const answers = await Promise.all(hosts.map((host) => memberHello(host).catch(() => undefined)));
    return hosts.find((_, index) => answers[index]?.['isWritablePrimary'] === true);
  });
}

export async function primaryMember<M extends { host: string }>(members: readonly M[]): Promise<M> {
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

/** Asks only what needs no user: `hello`. */
async function settledPrimary(hosts: readonly string[]): Promise<string | undefined> {
  const answers = await Promise.all(hosts.map(memberHello));
  const primary = answers.findIndex((answer) => answer['isWritablePrimary'] === true);
  const follow = answers.every((answer, index) => index === primary || answer['secondary'] === true);
  return follow ? hosts[primary] : undefined;
}

async function probe(primary: string): Promise<void> {
  await direct(primary, async (client) => {
    const database = client.db('waypost_probe');
    await database.collection('probe').insertOne({}, { writeConcern: { w: 'majority', j: true, wtimeoutMS: 10_000 } });
    await database.dropDatabase();
  });
}

/** What a member says of itself; it says it to anybody. */
export function memberHello(host: string): Promise<Record<string, unknown>> {
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
