import { createHash } from 'node:crypto';
import { Collection } from 'mongodb';
import type { MongoDatabase } from '../database.ts';
import { indexes } from '../indexes.ts';

/** What was made, in the document `schema` of `meta`: a process that finds all of its own in there asks for nothing else. */
export interface SchemaDocument {
  _id: 'schema';
  v: 1;
  version: number;
  /** Collections by name, and indexes as `collection.index hash`; of other releases too. */
  made: readonly string[];
}

/** Names of every collection of the store; the directory's too. */
export function collectionNames(database: MongoDatabase): string[] {
  const collections = Object.values(database).filter((value) => value instanceof Collection);
  return [...new Set(collections.map(({ collectionName }) => collectionName))].toSorted();
}

/** What this release needs, as `made` names it. */
export function neededBy(database: MongoDatabase): string[] {
  const ofIndexes = indexes.map(({ collection, name, key, options }) => {
    const definition = JSON.stringify([Object.entries(key), options ?? {}]);
    const hash = createHash('sha256').update(definition).digest('hex').slice(0, 12);
    return `${database[collection].collectionName}.${name} ${hash}`;
  });
  return [...collectionNames(database), ...ofIndexes].toSorted();
}
