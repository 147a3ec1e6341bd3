import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type CommandStartedEvent, MongoClient } from 'mongodb';
import { openDatabase } from '../../libs/store/mongo/connect.ts';
import type { MongoDatabase } from '../../libs/store/mongo/database.ts';
import { indexes } from '../../libs/store/mongo/indexes.ts';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import { migrateMongoStore } from '../../libs/store/mongo/schema/migrate.ts';
import { prepareSchema } from '../../libs/store/mongo/schema/prepare.ts';
import { collectionNames } from '../../libs/store/mongo/schema/schema.ts';
import { newestReadable } from '../../libs/store/mongo/schema/version.ts';
import { makeMessage } from '../contract/spool-messages.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';

const mongo = await mongoForFile({ accessControl: true });

describe('the schema in MongoDB', { skip: mongo.skip }, () => {
  const plain = mongo.backend?.url ?? '';
  const adminUrl = urlOf('root', 'root-password');
  let users: Promise<void> | undefined;

  function urlOf(user: string, password: string): string {
    return plain.replace('mongodb://', `mongodb://${user}:${password}@`).replace('/?', '/?authSource=admin&');
  }

  /** An administrator; with access control the first user is made from this machine without one. */
  function makeAdmin(): Promise<void> {
    users ??= (async () => {
      await using client = new MongoClient(plain);
      const roles = [{ role: 'root', db: 'admin' }];
      await client.db('admin').command({ createUser: 'root', pwd: 'root-password', roles });
    })();
    return users;
  }

  /** A user of a service: it reads and writes, and makes nothing. */
  async function serviceUrl(database: string): Promise<string> {
    await makeAdmin();
    await using client = new MongoClient(adminUrl);
    const [role, user] = [`role_${database}`, `user_${database}`];
    const actions = ['find', 'insert', 'update', 'remove'];
    const privileges = [{ resource: { db: database, collection: '' }, actions }];
    await client.db('admin').command({ createRole: role, privileges, roles: [] });
    await client.db('admin').command({ createUser: user, pwd: 'secret-word', roles: [role] });
    return urlOf(user, 'secret-word');
  }

  async function opened(
    t: TestContext,
    url: string,
    database: string,
  ): Promise<[MongoDatabase, CommandStartedEvent[]]> {
    const found = await openDatabase({ url, database, monitorCommands: true });
    t.after(() => found.client.close());
    const commands: CommandStartedEvent[] = [];
    found.client.on('commandStarted', (event) => commands.push(event));
    return [found, commands];
  }

  it('is made once; whoever finds it there asks one thing of the server, and needs no right to make anything', async (t) => {
    const database = freshDatabase();
    const url = await serviceUrl(database);
    const made = await migrateMongoStore({ url: adminUrl, database });
    assert.equal(made.indexes.length, indexes.length);
    const [service, commands] = await opened(t, url, database);
    assert.deepEqual(await prepareSchema(service, 'check'), { incarnation: 1 });
    assert.deepEqual(await prepareSchema(service, 'auto'), { incarnation: 1 });
    assert.deepEqual(
      commands.map(({ commandName, command }) => [commandName, command['find']]),
      [
        ['find', 'meta'],
        ['find', 'meta'],
      ],
    );
    const store = await openMongoStore({ url, database, schema: 'check' });
    t.after(() => store.close());
    const message = makeMessage();
    await store.spool.accept(message);
    assert.equal(await store.spool.fanOut(message.messageId), true);
    assert.equal((await store.partitions.list()).length, 256);
    assert.equal(await store.probe(5_000), true);
  });

  it('has every collection and index of this release, and says the second time that nothing was missing', async (t) => {
    await makeAdmin();
    const database = freshDatabase();
    const made = await migrateMongoStore({ url: adminUrl, database });
    const [admin] = await opened(t, adminUrl, database);
    assert.deepEqual(
      made.collections.toSorted(),
      collectionNames(admin).filter((name) => name !== 'meta' || made.collections.includes('meta')),
    );
    for (const { collection, name, key } of indexes) {
      const found = (await admin[collection].listIndexes().toArray()).find((index) => index['name'] === name);
      assert.deepEqual(found?.['key'], key, `${collection}.${name}`);
    }
    assert.deepEqual(await migrateMongoStore({ url: adminUrl, database }), {
      incarnation: 1,
      collections: [],
      indexes: [],
    });
  });

  it('several that make it at once do no harm', async () => {
    await makeAdmin();
    const database = freshDatabase();
    await Promise.all(Array.from({ length: 4 }, () => migrateMongoStore({ url: adminUrl, database })));
    assert.deepEqual((await migrateMongoStore({ url: adminUrl, database })).indexes, []);
  });

  it('that isn’t there, for a user who may not make it: says to run waypost migrate', async (t) => {
    const database = freshDatabase();
    const [service] = await opened(t, await serviceUrl(database), database);
    for (const mode of ['auto', 'check'] as const) {
      await assert.rejects(prepareSchema(service, mode), {
        name: 'SchemaNotReady',
        message: /isn’t prepared .*: run `waypost migrate` with a user that may/,
      });
    }
  });

  it('that lacks an index of this release is completed by whoever may, and named to whoever may not', async (t) => {
    const database = freshDatabase();
    const url = await serviceUrl(database);
    await migrateMongoStore({ url: adminUrl, database });
    const [admin] = await opened(t, adminUrl, database);
    const [service] = await opened(t, url, database);
    await admin.accepts.dropIndex('accepts_check');
    await admin.meta.updateOne({ _id: 'schema' }, { $pull: { made: /accepts_check/ } as never });
    await assert.rejects(prepareSchema(service, 'check'), { message: /\(accepts\.accepts_check is missing\)/ });
    await prepareSchema(admin, 'auto');
    assert.equal(await admin.accepts.indexExists('accepts_check'), true);
    await prepareSchema(service, 'check');
  });

  it('an index that somebody dropped is made again by migrate, while others read and write', async (t) => {
    await makeAdmin();
    const database = freshDatabase();
    await migrateMongoStore({ url: adminUrl, database });
    const [admin] = await opened(t, adminUrl, database);
    await admin.deliveries.dropIndex('deliveries_ready');
    const made = await migrateMongoStore({ url: adminUrl, database });
    assert.deepEqual(made.indexes, ['deliveries.deliveries_ready']);
  });

  it('an index of that name with other keys is not touched: says which, and what to do', async (t) => {
    await makeAdmin();
    const database = freshDatabase();
    await migrateMongoStore({ url: adminUrl, database });
    const [admin] = await opened(t, adminUrl, database);
    await admin.accepts.dropIndex('accepts_check');
    await admin.accepts.createIndex({ markedAt: 1 }, { name: 'accepts_check' });
    await assert.rejects(migrateMongoStore({ url: adminUrl, database }), {
      name: 'SchemaNotReady',
      message: /accepts_check.*dropIndex/,
    });
    assert.equal(
      (await admin.accepts.indexes()).some(({ key }) => 'markedAt' in key),
      true,
    );
  });

  it('of the next release is read and left alone; of one later is refused', async (t) => {
    await makeAdmin();
    const database = freshDatabase();
    await migrateMongoStore({ url: adminUrl, database });
    const [admin] = await opened(t, adminUrl, database);
    const version = async (): Promise<unknown> => (await admin.meta.findOne({ _id: 'schema' }))?.version;
    await admin.meta.updateOne({ _id: 'schema' }, { $set: { version: newestReadable } });
    assert.deepEqual(await prepareSchema(admin, 'check'), { incarnation: 1 });
    await migrateMongoStore({ url: adminUrl, database });
    assert.equal(await version(), newestReadable);
    await admin.meta.updateOne({ _id: 'schema' }, { $set: { version: newestReadable + 1 } });
    const tooNew = { name: 'SchemaTooNew', message: /has schema 3, this release reads up to 2: start the release/ };
    await assert.rejects(openMongoStore({ url: adminUrl, database }), tooNew);
    await assert.rejects(migrateMongoStore({ url: adminUrl, database }), tooNew);
  });

  it('probes of processes that have gone end by themselves, and services never write meta', async (t) => {
    await makeAdmin();
    const database = freshDatabase();
    const store = await openMongoStore({ url: adminUrl, database });
    t.after(() => store.close());
    await store.probe(5_000);
    const [probe, ...others] = await store.database.probes.find().toArray();
    assert.ok(probe?.probedAt instanceof Date && others.length === 0);
    const [ttl] = (await store.database.probes.indexes()).filter(({ expireAfterSeconds }) => expireAfterSeconds);
    assert.deepEqual(ttl?.key, { probedAt: 1 });
    assert.equal(await store.database.meta.countDocuments({}), 2);
  });
});
