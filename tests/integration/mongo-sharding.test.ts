import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { MongoClient } from 'mongodb';
import { collectionsOf } from '../../libs/store/mongo/database.ts';
import { indexes } from '../../libs/store/mongo/indexes.ts';
import { collectionNames } from '../../libs/store/mongo/schema/schema.ts';
import { projectRoot } from '../support/run-command.ts';

// Nothing is asked of a server here.
const database = collectionsOf(new MongoClient('mongodb://127.0.0.1:9'), 'waypost');

/** By collection, as docs/decisions/sharding.md has it; undefined where it says none. */
function shardKeys(): Map<string, string | undefined> {
  const page = readFileSync(`${projectRoot}docs/decisions/sharding.md`, 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows.flatMap((row) => {
      const [, names = '', key = ''] = row.split('|');
      const named = key.trim() === 'none' ? undefined : key.replace(/[` ]/g, '');
      return [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => [name, named] as const);
    }),
  );
}

test('the page on sharding says for every collection what it would be cut by', () => {
  assert.deepEqual([...shardKeys().keys()].toSorted(), collectionNames(database));
});

test('every unique index begins with what its collection would be cut by, but for the one that the page names', () => {
  const keys = shardKeys();
  const unfit = indexes
    .filter(({ options }) => options?.unique === true)
    .filter(({ collection, key }) => {
      const shardKey = keys.get(database[collection].collectionName);
      return shardKey !== undefined && Object.keys(key)[0] !== shardKey;
    });
  assert.deepEqual(
    unfit.map(({ name }) => name),
    ['accepts_idempotency'],
  );
});
