import type { Blobs } from '../../../blobs/port.ts';
import { partitionCount } from '../../../delivery/row.ts';
import type { VerifyReport } from '../../verify-report.ts';
import type { MongoDatabase } from '../database.ts';
import { indexes } from '../indexes.ts';
import { readMeta } from '../schema/prepare.ts';
import { storeError } from '../write-errors.ts';
import { checkAccounts } from './accounts.ts';
import { checkBodies } from './bodies.ts';
import { checkDeliveries } from './deliveries.ts';
import { FaultList } from './fault-list.ts';

/**
 * Reads the whole store while it is in use: each body against its SHA-256 and size, counts, quota use and modseqs of every account against its messages, open
 * deliveries against their messages, indexes against those of this release. What belongs together is read as of one moment, so mail that comes and goes
 * meanwhile is no fault. Each page is small and by an index.
 * @throws SchemaTooNew, SchemaNotReady, StoreUnavailable
 */
export async function verifyMongoStore(database: MongoDatabase, blobs: Pick<Blobs, 'read'>): Promise<VerifyReport> {
  const faults = new FaultList();
  try {
    await readMeta(database);
    await checkSchema(database, faults);
    await checkDeliveries(database, faults);
    const accounts = await checkAccounts(database, faults);
    const bodies = await checkBodies(database, blobs, faults);
    return { bodies, accounts, faults: faults.lines() };
  } catch (error) {
    throw storeError(error, false);
  }
}

async function checkSchema(database: MongoDatabase, faults: FaultList): Promise<void> {
  for (const [collection, wanted] of Map.groupBy(indexes, (index) => index.collection)) {
    const { collectionName } = database[collection];
    const found = await database[collection].listIndexes().toArray();
    const there = new Set(found.map(({ name }): unknown => name));
    for (const { name } of wanted) {
      if (!there.has(name)) faults.add(`index ${collectionName}.${name} is missing: run \`waypost migrate\``);
    }
  }
  const partitions = await database.partitions.countDocuments({});
  if (partitions !== partitionCount) {
    faults.add(`there are ${partitions} partitions in place of ${partitionCount}: run \`waypost migrate\``);
  }
}
