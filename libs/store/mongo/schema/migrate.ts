import { openDatabase, type MongoAddress } from '../connect.ts';
import { storeError } from '../write-errors.ts';
import { makeSchema, type SchemaMade } from './make.ts';
import { readMeta } from './prepare.ts';

/**
 * Prepares MongoDB for this release (`waypost migrate`), also while Waypost runs. Looks at what is really there, whatever was noted.
 * @throws SchemaTooNew, SchemaNotReady, UnsuitableServer, StoreMisconfigured, StoreUnavailable
 */
export async function migrateMongoStore(address: MongoAddress): Promise<SchemaMade> {
  const database = await openDatabase(address);
  try {
    await readMeta(database);
    return await makeSchema(database);
  } catch (error) {
    throw storeError(error, false);
  } finally {
    await database.client.close();
  }
}
