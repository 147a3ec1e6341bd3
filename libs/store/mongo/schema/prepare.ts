import type { MongoDatabase } from '../database.ts';
import { hasServerCode, unauthorized } from '../write-errors.ts';
import { makeSchema } from './make.ts';
import { neededBy, type SchemaDocument } from './schema.ts';
import { newestReadable, schemaVersion } from './version.ts';
import { SchemaNotReady, SchemaTooNew } from './schema-errors.ts';

/** `auto`: what is missing is made. `check`: it is an error. */
export type SchemaMode = 'auto' | 'check';

/**
 * One read says whether all is there that this release needs, and the incarnation of the mailboxes' states; where it is, the server is asked for nothing else, so
 * a user who may only read `meta` will do. Several processes may do this at once.
 * @throws SchemaNotReady, SchemaTooNew
 */
export async function prepareSchema(database: MongoDatabase, mode: SchemaMode): Promise<{ incarnation: number }> {
  const found = await readMeta(database);
  const missing = missingFrom(found.schema, neededBy(database));
  if (missing === undefined && found.incarnation !== undefined) return { incarnation: found.incarnation };
  const problem = `MongoDB isn’t prepared for this release (${missing ?? 'no incarnation'})`;
  if (mode === 'check') throw new SchemaNotReady(problem, remedy);
  try {
    return await makeSchema(database);
  } catch (error) {
    if (!hasServerCode(error, unauthorized)) throw error;
    throw new SchemaNotReady(`${problem}, and this user may not make it`, remedy, { cause: error });
  }
}

const remedy = 'run `waypost migrate` with a user that may make collections and indexes';

export interface Meta {
  schema?: Pick<SchemaDocument, 'version' | 'made'>;
  incarnation?: number;
}

/** @throws SchemaTooNew */
export async function readMeta({ meta }: MongoDatabase): Promise<Meta> {
  const documents = await meta
    .find({ _id: { $in: ['schema', 'incarnation'] } })
    .toArray()
    .catch((error: unknown) => {
      if (!hasServerCode(error, unauthorized)) throw error;
      const rights = 'give it the rights of its service';
      throw new SchemaNotReady('this user of MongoDB may not read the collection `meta`', rights, { cause: error });
    });
  const found: Meta = {};
  for (const { _id, version, made, incarnation } of documents) {
    if (_id === 'schema' && version !== undefined && made !== undefined) found.schema = { version, made };
    if (_id === 'incarnation' && incarnation !== undefined) found.incarnation = incarnation;
  }
  if (found.schema !== undefined && found.schema.version > newestReadable) {
    throw new SchemaTooNew(found.schema.version, newestReadable);
  }
  return found;
}

/** Undefined: nothing. */
function missingFrom(schema: Meta['schema'], needed: readonly string[]): string | undefined {
  if (schema === undefined) return 'it has no schema';
  if (schema.version < schemaVersion) return `it has schema ${schema.version} of ${schemaVersion}`;
  const made = new Set(schema.made);
  const missing = needed.filter((name) => !made.has(name));
  if (missing.length === 0) return undefined;
  const [first = ''] = missing;
  return `${first.split(' ')[0]} is missing${missing.length === 1 ? '' : `, and ${missing.length - 1} more`}`;
}
