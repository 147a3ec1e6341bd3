import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { GroupsOptions } from '../group-rules.ts';
import type { Deliveries } from '../ports/deliveries.ts';
import type { Groups } from '../ports/groups.ts';
import type { DkimKeys } from '../ports/dkim-keys.ts';
import type { Mailboxes } from '../ports/mailboxes.ts';
import type { Partitions } from '../ports/partitions.ts';
import type { Spool } from '../ports/spool.ts';
import { type MongoAddress, openDatabase } from './connect.ts';
import type { MongoDatabase } from './database.ts';
import { mongoDkimKeys } from './dkim/dkim-keys.ts';
import { type DirectoryPorts, directoryPorts } from './directory/ports.ts';
import { mongoGroups } from './groups/groups.ts';
import { AccountTurns } from './mailboxes/account-turns.ts';
import { mongoMailboxes } from './mailboxes/mailboxes.ts';
import { newerDocumentsMetric, staleTransactionsMetric, storeMetrics } from './metrics.ts';
import { openingError } from './opening-errors.ts';
import { AcceptWriter } from './queue/accept-writer.ts';
import { mongoDeliveries } from './queue/deliveries.ts';
import { FanOut } from './queue/fan-out.ts';
import { mongoPartitions } from './queue/partitions.ts';
import { mongoSpool } from './queue/spool.ts';
import { Room } from './room.ts';
import { prepareSchema, type SchemaMode } from './schema/prepare.ts';
import { StaleTransactions } from './stale-transactions.ts';
import { durable } from './transaction.ts';

/** What a cluster keeps. */
export interface MongoStore extends DirectoryPorts {
  spool: Spool;
  deliveries: Deliveries;
  partitions: Partitions;
  mailboxes: Mailboxes;
  dkimKeys: DkimKeys;
  groups: Groups;
  /** For the adapters of the other ports, which share the connection. */
  database: MongoDatabase;
  /** False from an unknown outcome of an accept until a write has committed again. */
  healthy(): boolean;
  /** True when a write commits to a majority within `timeoutMs`. */
  probe(timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
}

export interface MongoStoreOptions extends MongoAddress {
  /** Default `auto`: collections and indexes that are missing are made, where the user may. `check`: they are an error. */
  schema?: SchemaMode;
  log?: Logger;
  metrics?: Registry;
  /** How long an accept waits for its answer until its outcome counts as unknown. Default 10 s. */
  acceptDeadlineMs?: number;
  /** Transactions of this user that have done nothing for so long are ended. Default 4 s: well within a lease. */
  inactiveTransactionMs?: number;
  /** Used share of a member's disk, 0 to 1, from which on nothing is accepted. Default 0.95. */
  fullShare?: number;
  groups?: GroupsOptions;
}

/** Opens the store. @throws UnsuitableServer, StoreMisconfigured, SchemaNotReady, SchemaTooNew, StoreUnavailable */
export async function openMongoStore(options: MongoStoreOptions): Promise<MongoStore> {
  const database = await openDatabase(options);
  try {
    const { incarnation } = await prepareSchema(database, options.schema ?? 'auto');
    const room = new Room(database.db, options.fullShare);
    await room.look();
    return compose(database, incarnation, room, options);
  } catch (error) {
    await database.client.close();
    throw openingError(error);
  }
}

function compose(database: MongoDatabase, incarnation: number, room: Room, options: MongoStoreOptions): MongoStore {
  const { log, metrics } = options;
  const countNewer = metrics === undefined ? undefined : newerDocumentsMetric(metrics);
  database.newer.tell((document) => {
    countNewer?.(document.collection);
    log?.error(document, 'left a document of a newer release alone: it waits for a release that reads it');
  });
  const probeId = randomUUID();
  const probeOnce = async (timeoutMs: number): Promise<boolean> => {
    const written = database.probes
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
  const fanOut = new FanOut(database);
  const staleTransactions = new StaleTransactions({
    client: database.client,
    inactiveMs: options.inactiveTransactionMs ?? inactiveTransactionMs,
    ...(log === undefined ? {} : { log }),
    ...(metrics === undefined ? {} : { onEnded: staleTransactionsMetric(metrics) }),
  });
  staleTransactions.start();
  const probe = async (timeoutMs: number): Promise<boolean> => {
    const committed = await probeOnce(timeoutMs);
    if (committed) writer.trust();
    return committed;
  };
  return {
    spool: mongoSpool(database, writer, fanOut, probe),
    deliveries: mongoDeliveries(database),
    partitions: mongoPartitions(database),
    mailboxes: mongoMailboxes({ database, turns: new AccountTurns(), incarnation }),
    groups: mongoGroups(database, options.groups),
    ...directoryPorts(database),
    dkimKeys: mongoDkimKeys(database),
    database,
    healthy: () => writer.healthy,
    probe,
    async close() {
      await Promise.all([staleTransactions.stop(), fanOut.close()]);
      await database.client.close();
    },
  };
}

const probeTimeoutMs = 5_000;
const inactiveTransactionMs = 4_000;
