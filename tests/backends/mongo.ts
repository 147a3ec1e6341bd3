import { MongoClient } from 'mongodb';
import { mongoProcesses } from '../../tools/servers/mongo-processes.ts';
import type { MongoReplicaSet } from '../../tools/servers/replica-set.ts';
import { mongoContainers } from './mongo-containers.ts';
import { firstOpenWay, type Way } from './unavailable.ts';

export type { MongoReplicaSet };

export interface MongoOptions {
  /** Default 1. */
  members?: 1 | 3;
  /** A set of one's own, for tests that kill members. Default: true with three members. */
  own?: boolean;
  /** Users need a name and a password; the first one is made on loopback. Always mongod processes of one's own. */
  accessControl?: boolean;
}

/**
 * A real MongoDB replica set with a writable primary: WAYPOST_TEST_MONGODB_URL, else containers where a Docker engine answers, else
 * mongod processes on loopback. Starting takes seconds: share one in a test file, with a database for each test.
 * @throws BackendUnavailable
 */
export async function mongoReplicaSet(options: MongoOptions = {}): Promise<MongoReplicaSet> {
  const count = options.members ?? 1;
  const own = options.own ?? count === 3;
  const address = process.env['WAYPOST_TEST_MONGODB_URL'];
  const ways: Way<MongoReplicaSet>[] = [
    { name: 'Docker', open: () => mongoContainers(count) },
    { name: 'mongod', open: () => mongoProcesses(count) },
  ];
  if (options.accessControl === true) {
    return firstOpenWay('MongoDB', [{ name: 'mongod', open: () => mongoProcesses(count, { accessControl: true }) }]);
  }
  if (address === undefined || own) return firstOpenWay('MongoDB', ways);
  return firstOpenWay('MongoDB', [{ name: 'WAYPOST_TEST_MONGODB_URL', open: () => given(address), asked: true }]);
}

async function given(url: string): Promise<MongoReplicaSet> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 10_000 });
  try {
    const hello = await client.db('admin').command({ hello: 1 });
    if (hello['setName'] === undefined) throw new Error('is a standalone mongod, not a replica set');
  } finally {
    await client.close();
  }
  return {
    url,
    members: [],
    primary: () => Promise.reject(new Error('the members of a given address are not for tests to touch')),
    stop: () => Promise.resolve(),
  };
}
