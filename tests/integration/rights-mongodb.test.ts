import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Collection, MongoClient, MongoServerError } from 'mongodb';
import { writeMongoUsers } from '../../deploy/rights/mongodb-users.ts';
import { type CollectionAction, type Rights, rights } from '../../deploy/rights/table.ts';
import { collectionsOf } from '../../libs/store/mongo/database.ts';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import { migrateMongoStore } from '../../libs/store/mongo/schema/migrate.ts';
import { createAdministrator } from '../../tools/servers/mongo-administrator.ts';
import { mongoForFile } from '../backends/require.ts';

const mongo = await mongoForFile({ accessControl: true });
const services = ['auth', 'ingress', 'queue', 'delivery', 'mailbox'];

describe('the users of MongoDB', { skip: mongo.skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-rights-'));
  const clients = new Map<string, MongoClient>();
  let adminUrl: string;
  let collections: readonly string[];

  before(async () => {
    adminUrl = await createAdministrator(mongo.backend!.url, 'root', 'a password with @ and /');
    await writeMongoUsers(rights, { adminUrl, folder });
    await migrateMongoStore({ url: urlOf('migrate') });
    const all = Object.values(collectionsOf(as('auth'), 'waypost')).filter((each) => each instanceof Collection);
    collections = [...new Set(all.map(({ collectionName }) => collectionName))];
  });
  after(async () => {
    await Promise.all([...clients.values()].map((client) => client.close()));
    rmSync(folder, { recursive: true });
  });

  test('migrate makes all that the store needs, and each service opens it without the right to make anything', async () => {
    for (const user of services) {
      const store = await openMongoStore({ url: urlOf(user) });
      assert.equal(await store.probe(5000), true, user);
      await store.close();
      await assert.rejects(as(user).db().createCollection('another'), unauthorized, user);
      await assert.rejects(as(user).db().collection('accounts').createIndex({ x: 1 }), unauthorized, user);
      await assert.rejects(as(user).db().dropDatabase(), unauthorized, user);
    }
  });

  test('only auth reads credentials, tokens and login limits, and only auth writes the directory', async () => {
    for (const user of [...services, 'migrate'].filter((each) => each !== 'auth')) {
      for (const name of ['credentials', 'tokens', 'login_failures', 'login_successes']) {
        for (const action of actions) assert.equal(await may(user, name, action), false, `${user} ${action} ${name}`);
      }
      for (const name of ['accounts', 'addresses', 'domains', 'removed_accounts']) {
        for (const action of actions.slice(1)) {
          assert.equal(await may(user, name, action), false, `${user} ${action} ${name}`);
        }
      }
    }
    assert.equal(await may('auth', 'credentials', 'find'), true);
  });

  test('nobody can read mail but who works on it', async () => {
    for (const name of ['accepts', 'messages', 'message_bodies', 'blobs.files', 'blobs.chunks']) {
      for (const user of ['auth', 'migrate']) assert.equal(await may(user, name, 'find'), false, user);
    }
    for (const user of ['ingress', 'delivery']) assert.equal(await may(user, 'messages', 'find'), false, user);
  });

  test('in every collection each user may do what the table says, and nothing else', async () => {
    const named = new Set([
      ...collections,
      ...rights.flatMap(({ mongodb }) => Object.keys(mongodb?.collections ?? {})),
    ]);
    for (const { user, mongodb } of rights) {
      if (mongodb === undefined) continue;
      for (const name of named) {
        const allowed: readonly CollectionAction[] = mongodb.collections[name] ?? [];
        for (const action of actions) {
          assert.equal(await may(user, name, action), allowed.includes(action), `${user} ${action} ${name}`);
        }
      }
    }
  });

  test('no collection of the store is without somebody who may use it', () => {
    const used = new Set(rights.flatMap(({ mongodb }) => Object.keys(mongodb?.collections ?? {})));
    assert.deepEqual(
      collections.filter((name) => !used.has(name)),
      [],
    );
  });

  test('a repeat keeps passwords, and takes away what the table no longer gives', async () => {
    const before = urlOf('ingress');
    const lessForIngress = rights.map((each): Rights => {
      return each.user === 'ingress' ? { ...each, mongodb: { collections: { meta: ['find'] }, everywhere: [] } } : each;
    });
    await writeMongoUsers(lessForIngress, { adminUrl, folder });
    assert.equal(urlOf('ingress'), before);
    assert.equal(statSync(join(folder, 'ingress.mongodb-url')).mode & 0o777, 0o600);
    assert.equal(await may('ingress', 'accepts', 'insert'), false);
    await writeMongoUsers(rights, { adminUrl, folder });
    assert.equal(await may('ingress', 'accepts', 'insert'), true);
  });

  function urlOf(user: string): string {
    return readFileSync(join(folder, `${user}.mongodb-url`), 'utf8').trim();
  }

  function as(user: string): MongoClient {
    const client = clients.get(user) ?? new MongoClient(urlOf(user));
    clients.set(user, client);
    return client;
  }

  /** Tries it with a filter that matches nothing, or a document that an aborted transaction never keeps. */
  async function may(user: string, name: string, action: CollectionAction): Promise<boolean> {
    const collection = as(user).db().collection(name);
    try {
      await attempts[action](collection, as(user));
      return true;
    } catch (error) {
      if (unauthorized(error)) return false;
      throw error;
    }
  }
});

const actions = ['find', 'insert', 'update', 'remove'] as const satisfies readonly CollectionAction[];

const nothing = { noSuchField: 'nothing' };
const attempts: Record<CollectionAction, (collection: Collection, client: MongoClient) => Promise<unknown>> = {
  find: (collection) => collection.findOne(nothing),
  insert: (collection, client) =>
    client.withSession(async (session) => {
      session.startTransaction();
      try {
        await collection.insertOne({ accountId: 'x', modseq: -1 }, { session });
      } finally {
        await session.abortTransaction();
      }
    }),
  update: (collection) => collection.updateMany(nothing, { $set: { x: 1 } }),
  remove: (collection) => collection.deleteMany(nothing),
};

function unauthorized(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === 13;
}
