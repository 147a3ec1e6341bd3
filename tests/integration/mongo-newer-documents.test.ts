import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Collection } from 'mongodb';
import { Registry } from 'prom-client';
import { Refused } from '../../libs/store/errors.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import { newestReadable } from '../../libs/store/mongo/schema/version.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { longMs, permanent, QueueOwner } from '../contract/deliveries-owner.ts';
import { Courier } from '../contract/mailboxes-courier.ts';
import { allPartitions, dayMs, enqueue, hourMs, makeMessage } from '../contract/spool-messages.ts';

const mongo = await mongoForFile();
const tooNew = newestReadable + 1;
const isRefused = (error: unknown): boolean => error instanceof Refused && error.rule === 'newerDocument';

describe('documents of a newer release in MongoDB', { skip: mongo.skip }, () => {
  let store: MongoStore;
  const metrics = new Registry();
  before(async () => {
    store = await openMongoStore({ url: mongo.backend?.url ?? '', database: freshDatabase(), metrics });
  });
  after(() => store.close());

  const deliveries = (): Collection<{ _id: string }> => store.database.db.collection('deliveries');
  const accepts = (): Collection<{ _id: string }> => store.database.db.collection('accepts');
  const documentId = (id: string): string => id.replace(/\/(\d+)$/, (_, n: string) => `/${n.padStart(4, '0')}`);

  /** As a release would leave it whose form of the document we don't know. */
  async function fromTheFuture(
    collection: Collection<{ _id: string }>,
    _id: string,
    v = tooNew,
  ): Promise<() => Promise<unknown>> {
    const changed = ['targets', 'envelope', 'recipient', 'mailboxes', 'summary', 'keywords'];
    await collection.updateOne({ _id }, v === tooNew ? [{ $set: { v } }, { $unset: changed }] : { $set: { v } });
    const left = await collection.findOne({ _id });
    return async () => assert.deepEqual(await collection.findOne({ _id }), left, 'it was left alone');
  }

  async function counted(collection: string): Promise<number> {
    const found = await metrics.getSingleMetric('waypost_store_newer_documents_total')?.get();
    return found?.values.find(({ labels }) => labels['collection'] === collection)?.value ?? 0;
  }

  it('of the next release are worked with like our own', async () => {
    const message = makeMessage();
    await store.spool.accept(message);
    await fromTheFuture(accepts(), message.messageId, newestReadable);
    assert.equal(await store.spool.fanOut(message.messageId), true);
    assert.equal((await store.spool.read([message.messageId])).size, 1);
  });

  it('accepted messages: fan-out and reads are refused for that message alone, and the sweep goes on to the others', async () => {
    const acceptedAt = Date.now() - dayMs;
    const [newer, own] = [makeMessage({ acceptedAt }), makeMessage({ acceptedAt: acceptedAt + 1 })];
    for (const message of [newer, own]) await store.spool.accept(message);
    const isLeft = await fromTheFuture(accepts(), newer.messageId);
    const sweeper = await openMongoStore({
      url: mongo.backend?.url ?? '',
      database: store.database.db.databaseName,
      metrics: new Registry(),
    });
    const unrouted = { partitions: allPartitions, acceptedBefore: acceptedAt + hourMs, limit: 1 };
    assert.deepEqual(await store.spool.unrouted(unrouted), [own.messageId]);
    const both = await Promise.allSettled([newer, own].map(({ messageId }) => sweeper.spool.fanOut(messageId)));
    assert.deepEqual(
      both.map(({ status }) => status),
      ['rejected', 'fulfilled'],
    );
    await assert.rejects(store.spool.read([newer.messageId]), isRefused);
    assert.equal((await store.spool.read([own.messageId])).size, 1);
    assert.deepEqual(await store.spool.unrouted(unrouted), []);
    await store.spool.collect({ now: Date.now() + 9 * dayMs, keepMs: dayMs, limit: 100 });
    await isLeft();
    assert.equal(await counted('accepts'), 1);
    await sweeper.close();
  });

  it('deliveries: never due, claimed, expired, reported or purged, and none keeps those behind it waiting', async () => {
    const now = Date.now();
    const destination = 'newer.example';
    const to = [0, 1].map((rank) => ({ kind: 'remote', destination, rank, expiresAt: now + hourMs }) as const);
    const ids = await enqueue(store.spool, makeMessage({ acceptedAt: now, to }));
    const [newer = '', own = ''] = ids;
    const isLeft = await fromTheFuture(deliveries(), documentId(newer));
    const owner = await QueueOwner.of(store, 'owner');
    const due = { partitions: allPartitions, now, perDestination: 1, limit: 100, destinations: 'remote' } as const;
    const idsOf = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id);
    assert.deepEqual(idsOf(await store.deliveries.due(due)), [own]);
    assert.deepEqual(idsOf(await owner.claim(ids)), [own]);
    const expiring = { partitions: allPartitions, now: now + 2 * hourMs, limit: 1 };
    assert.ok(!idsOf(await store.deliveries.expireRows(expiring)).includes(newer));
    assert.equal(await store.deliveries.get(newer), undefined);
    assert.deepEqual(idsOf(await store.deliveries.list({ destination }, { limit: 1 })), [own]);
    assert.equal(await store.deliveries.steer({ id: newer, action: 'cancel', now, actor: 'admin' }), 'absent');
    await store.deliveries.purge({ before: now + dayMs, limit: 10 });
    await isLeft();
    assert.ok((await counted('deliveries')) >= 1);
    await store.partitions.release({ owner: 'owner', leases: owner.leases });
  });

  it('deliveries that wait, are leased or have failed: the sweeps pass them over', async () => {
    const now = Date.now();
    const owner = await QueueOwner.of(store, 'sweeper');
    const waiting = makeMessage({ to: [{ dueAt: now + 1_000 }] });
    const [waits = ''] = await enqueue(store.spool, waiting);
    const { ids: leased } = await owner.leased(makeMessage(), 1);
    const failed = makeMessage();
    const { ids: fails, claim } = await owner.leased(failed, longMs);
    await owner.record(fails[0]!, claim, permanent);
    const left = await Promise.all(
      [waits, leased[0]!, fails[0]!].map((id) => fromTheFuture(deliveries(), documentId(id))),
    );
    const all = { partitions: allPartitions, limit: 100 };
    await store.deliveries.due({ ...all, now: now + 2_000, perDestination: 10 });
    const ended = await store.deliveries.expireLeases({ ...all, now: now + dayMs });
    assert.ok(!ended.some(({ id }) => leased.includes(id)));
    assert.deepEqual(await store.deliveries.owing({ messagePartitions: allPartitions, limit: 100 }), []);
    assert.equal(await store.deliveries.startReport({ messageId: failed.messageId, now }), undefined);
    for (const isLeft of left) await isLeft();
    await store.partitions.release({ owner: 'sweeper', leases: owner.leases });
  });

  it('an account: nothing is written to it or read from it, and a batch without it is delivered', async () => {
    const courier = courierOf(store);
    const [newer, own] = [await courier.account(), await courier.account()];
    await courier.bringAll(newer, [{}]);
    const isLeft = await fromTheFuture(store.database.db.collection('mail_accounts'), newer);
    const [first, second] = await courier.claimed([{ accountId: newer }, { accountId: own }]);
    await assert.rejects(store.mailboxes.deliver([first!, second!], Date.now()), isRefused);
    assert.equal((await store.mailboxes.deliver([second!], Date.now()))[0]?.answer, 'delivered');
    await assert.rejects(store.mailboxes.list(newer, {}, { limit: 10 }), isRefused);
    await isLeft();
    assert.equal(await counted('mail_accounts'), 1);
  });

  it('a message: left out of lists, refused by name, and the others are there', async () => {
    const courier = courierOf(store);
    const account = await courier.account();
    const [newer, own] = await courier.bringAll(account, [{}, {}]);
    const isLeft = await fromTheFuture(store.database.db.collection('messages'), newer!);
    const { messages } = await store.mailboxes.list(account, {}, { limit: 10 });
    assert.deepEqual(
      messages.map(({ id }) => id),
      [own],
    );
    await assert.rejects(store.mailboxes.get(account, newer!), isRefused);
    await assert.rejects(store.mailboxes.update(account, newer!, { keywords: { $seen: true } }, {}), isRefused);
    await isLeft();
    assert.equal(await counted('messages'), 1);
  });
});

function courierOf(store: MongoStore): Courier {
  const { accounts } = store.database;
  return new Courier({
    ...store,
    features: { search: true },
    addAccount: async (id) => {
      await accounts.insertOne({ _id: id });
    },
    removeAccountFromDirectory: async (id) => {
      await accounts.deleteOne({ _id: id });
    },
  });
}
