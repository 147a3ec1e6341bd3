import type { Collection } from 'mongodb';
import type { MongoDatabase } from '../database.ts';
import { indexes } from '../indexes.ts';
import { makePartitions } from '../queue/partitions.ts';
import { durable } from '../transaction.ts';
import { hasServerCode } from '../write-errors.ts';
import { collectionNames, neededBy } from './schema.ts';
import { schemaVersion } from './version.ts';
import { SchemaNotReady } from './schema-errors.ts';

export interface SchemaMade {
  incarnation: number;
  /** Names of what wasn't there. */
  collections: readonly string[];
  /** As `collection.index`. */
  indexes: readonly string[];
}

/**
 * Makes what is missing, whatever was noted before, and notes it. What is there stays as it is: a release drops nothing, for the one before it may still run.
 * Indexes are built while others read and write. Repeating it, and several at once, do no harm.
 * @throws SchemaNotReady for an index of that name that is another
 */
export async function makeSchema(database: MongoDatabase): Promise<SchemaMade> {
  const collections = await makeCollections(database);
  const made: string[] = [];
  // In transactions and by users with few rights nothing is made: every collection is there before.
  for (const [collection, wanted] of Map.groupBy(indexes, (index) => index.collection)) {
    made.push(...(await makeIndexes(database[collection], wanted)));
  }
  await makePartitions(database);
  const incarnation = await makeIncarnation(database);
  // Last: who reads it finds all the rest. Another release's entries stay.
  await database.meta.updateOne(
    { _id: 'schema' },
    {
      $setOnInsert: { v: 1 },
      $max: { version: schemaVersion },
      $addToSet: { made: { $each: neededBy(database) } },
    },
    { upsert: true, writeConcern: durable },
  );
  return { incarnation, collections, indexes: made };
}

async function makeCollections(database: MongoDatabase): Promise<string[]> {
  const listed = await database.db.listCollections({}, { nameOnly: true }).toArray();
  const there = new Set(listed.map(({ name }) => name));
  const missing = collectionNames(database).filter((name) => !there.has(name));
  for (const name of missing) {
    await database.db.createCollection(name, { writeConcern: durable }).catch((error: unknown) => {
      if (!hasServerCode(error, namespaceExists)) throw error;
    });
  }
  return missing;
}

async function makeIndexes(
  collection: Pick<Collection, 'collectionName' | 'listIndexes' | 'createIndexes'>,
  wanted: typeof indexes,
): Promise<string[]> {
  const there = new Set((await collection.listIndexes().toArray()).map(({ name }): unknown => name));
  try {
    // All of them: the server compares those that are there.
    await collection.createIndexes(wanted.map(({ name, key, options }) => ({ name, key, ...options })));
  } catch (error) {
    if (!hasServerCode(error, indexOptionsConflict) && !hasServerCode(error, indexKeySpecsConflict)) throw error;
    const { collectionName } = collection;
    throw new SchemaNotReady(
      `an index of ${collectionName} isn’t this release’s (${error.message})`,
      `stop Waypost, drop it in mongosh with db.${collectionName}.dropIndex(name), and run \`waypost migrate\``,
      { cause: error },
    );
  }
  return wanted.filter(({ name }) => !there.has(name)).map(({ name }) => `${collection.collectionName}.${name}`);
}

async function makeIncarnation({ meta }: MongoDatabase): Promise<number> {
  const found = await meta.findOneAndUpdate(
    { _id: 'incarnation' },
    { $setOnInsert: { v: 1, incarnation: 1 } },
    { upsert: true, returnDocument: 'after', writeConcern: durable },
  );
  return found?.incarnation ?? 1;
}

/** The server's codes. */
const namespaceExists = 48;
const indexOptionsConflict = 85;
const indexKeySpecsConflict = 86;
