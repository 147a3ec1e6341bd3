import { randomUUID } from 'node:crypto';
import { MongoClient, MongoServerError } from 'mongodb';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Deliveries } from '../ports/deliveries.ts';
import type { Mailboxes } from '../ports/mailboxes.ts';
import type { Partitions } from '../ports/partitions.ts';
import type { Spool } from '../ports/spool.ts';
import { collectionsOf, type MongoDatabase } from './database.ts';
import { makeIndexes } from './indexes.ts';
import { AccountTurns } from './mailboxes/account-turns.ts';
import { mongoMailboxes } from './mailboxes/mailboxes.ts';
import { storeMetrics } from './metrics.ts';
import { AcceptWriter } from './queue/accept-writer.ts';
import { mongoDeliveries } from './queue/deliveries.ts';
import { makePartitions, mongoPartitions } from './queue/partitions.ts';
import { mongoSpool } from './queue/spool.ts';
import { Room } from './room.ts';
import { checkServer } from './server-check.ts';
import { durable } from './transaction.ts';
import { storeError } from './write-errors.ts';

/** What a cluster keeps of mail. */
export interface MongoStore {
  spool: Spool;
  deliveries: Deliveries;
  partitions: Partitions;
  mailboxes: Mailboxes;
  /** For the adapters of the other ports, which share the connection. */
  database: MongoDatabase;
  /** False from an unknown outcome of an accept until a write has committed again. */
  healthy(): boolean;
  /** True when a write commits to a majority within `timeoutMs`. */
  probe(timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
}

export interface MongoStoreOptions {
  /** Of a replica set or of mongos. */
  url: string;
  /** Default: the one that the URL names, else `waypost`. */
  database?: string;
  log?: Logger;
  metrics?: Registry;
  /** Certificate authority of the servers. */
  tlsCaFile?: string;
  /** Oldest server that is taken. Default 6.0. */
  minimumVersion?: readonly [major: number, minor: number];
  /** How long an accept waits for its answer until its outcome counts as unknown. Default 10 s. */
  acceptDeadlineMs?: number;
  /** Used share of a member's disk, 0 to 1, from which on nothing is accepted. Default 0.95. */
  fullShare?: number;
  /** Emits events for each command, for tests. */
  monitorCommands?: boolean;
}

/** Opens the store, making collections and indexes that are missing. @throws UnsuitableServer, StoreUnavailable */
export async function openMongoStore(options: MongoStoreOptions): Promise<MongoStore> {
  const client = new MongoClient(options.url, clientOptions(options));
  try {
    await client.connect();
    await checkServer(client, options.minimumVersion);
    const database = collectionsOf(client, options.database ?? databaseOf(options.url));
    const incarnation = await prepare(database);
    const room = new Room(database.db, options.fullShare);
    await room.look();
    return compose(database, incarnation, room, options);
  } catch (error) {
    await client.close();
    throw storeError(error, false);
  }
}

function clientOptions({
  tlsCaFile,
  monitorCommands = false,
}: MongoStoreOptions): ConstructorParameters<typeof MongoClient>[1] {
  return {
    appName: 'waypost',
    writeConcern: durable,
    readConcernLevel: 'majority',
    readPreference: 'primary',
    retryWrites: true,
    retryReads: true,
    ignoreUndefined: true,
    // A wait for a server that doesn't come is an answer too: 451 and 503.
    serverSelectionTimeoutMS: 5_000,
    waitQueueTimeoutMS: 5_000,
    connectTimeoutMS: 5_000,
    socketTimeoutMS: 30_000,
    maxPoolSize: 50,
    monitorCommands,
    ...(tlsCaFile === undefined ? {} : { tls: true, tlsCAFile: tlsCaFile }),
  };
}

/** The path of the URL (https://www.mongodb.com/docs/manual/reference/connection-string/). */
const databaseOf = (url: string): string => /^mongodb(?:\+srv)?:\/\/[^/]+\/([^?]+)/.exec(url)?.[1] ?? 'waypost';

/** Answers the incarnation of states. Several processes may start at once. */
async function prepare(database: MongoDatabase): Promise<number> {
  // In transactions nothing is made: these have no index of their own that would make them here.
  for (const name of ['mail_accounts', 'thread_references', 'partitions', 'accounts', 'meta']) {
    await database.db.createCollection(name).catch((error: unknown) => {
      if (!(error instanceof MongoServerError) || error.code !== namespaceExists) throw error;
    });
  }
  await makeIndexes(database);
  await makePartitions(database);
  const meta = await database.meta.findOneAndUpdate(
    { _id: 'incarnation' },
    { $setOnInsert: { v: 1, incarnation: 1 } },
    { upsert: true, returnDocument: 'after', writeConcern: durable },
  );
  return meta?.incarnation ?? 1;
}

const namespaceExists = 48;

function compose(database: MongoDatabase, incarnation: number, room: Room, options: MongoStoreOptions): MongoStore {
  const { log, metrics } = options;
  const probeId = `probe-${randomUUID()}`;
  const probeOnce = async (timeoutMs: number): Promise<boolean> => {
    const written = database.meta
      .updateOne(
        { _id: probeId },
        { $set: { v: 1 }, $currentDate: { probedAt: true } },
        { upsert: true, writeConcern: { ...durable, wtimeoutMS: timeoutMs } },
      )
      .then(
        () => true,
        () => false,
      );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    try {
      return await Promise.race([written, late]);
    } finally {
      clearTimeout(timer);
    }
  };
  const writer = new AcceptWriter({
    accepts: database.accepts,
    isFull: () => room.isFull,
    probe: () => probeOnce(options.acceptDeadlineMs ?? probeTimeoutMs),
    onHealth: (healthy) => {
      if (healthy) log?.info('the store commits again');
      else log?.error('the outcome of an accept is unknown: nothing more is taken until a write has committed');
    },
    ...(options.acceptDeadlineMs === undefined ? {} : { deadlineMs: options.acceptDeadlineMs }),
    ...(metrics === undefined ? {} : { onBatch: storeMetrics(metrics, () => writer.load) }),
  });
  const probe = async (timeoutMs: number): Promise<boolean> => {
    const committed = await probeOnce(timeoutMs);
    if (committed) writer.trust();
    return committed;
  };
  return {
    spool: mongoSpool(database, writer, probe),
    deliveries: mongoDeliveries(database),
    partitions: mongoPartitions(database),
    mailboxes: mongoMailboxes({ database, turns: new AccountTurns(), incarnation }),
    database,
    healthy: () => writer.healthy,
    probe,
    async close() {
      await database.meta.deleteOne({ _id: probeId }).catch(() => undefined);
      await database.client.close();
    },
  };
}

const probeTimeoutMs = 5_000;
