import { MongoClient } from 'mongodb';
import { collectionsOf, type MongoDatabase } from './database.ts';
import { databaseNameOf } from './database-name.ts';
import { openingError, wrongUrl } from './opening-errors.ts';
import { checkServer } from './server-check.ts';
import { durable } from './transaction.ts';

/** Where the store is, and how it is reached. */
export interface MongoAddress {
  /** Of a replica set or of mongos. */
  url: string;
  /** Default: the one that the URL names, else `waypost`. */
  database?: string;
  /** Certificate authority of the servers. */
  tlsCaFile?: string;
  /** Oldest server that is taken. Default 6.0. */
  minimumVersion?: readonly [major: number, minor: number];
  /** Emits events for each command, for tests. */
  monitorCommands?: boolean;
}

/** A connection to servers that can keep the promises. @throws UnsuitableServer, StoreMisconfigured, StoreUnavailable */
export async function openDatabase(address: MongoAddress): Promise<MongoDatabase> {
  const name = databaseNameOf(address);
  const client = clientOf(address);
  try {
    await client.connect();
    await checkServer(client, address.minimumVersion);
    return collectionsOf(client, name);
  } catch (error) {
    await client.close();
    throw openingError(error, client.options.tls);
  }
}

function clientOf(address: MongoAddress): MongoClient {
  try {
    return new MongoClient(address.url, clientOptions(address));
  } catch {
    throw wrongUrl();
  }
}

function clientOptions({
  tlsCaFile,
  monitorCommands = false,
}: MongoAddress): ConstructorParameters<typeof MongoClient>[1] {
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
