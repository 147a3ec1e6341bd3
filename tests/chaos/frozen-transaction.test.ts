import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { newId } from '../../libs/runtime/ids.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { permanent, QueueOwner, rowOf } from '../contract/deliveries-owner.ts';
import { deliveryOf } from '../contract/mailboxes-courier.ts';
import { allPartitions, enqueue, makeMessage } from '../contract/spool-messages.ts';
import { evenSizes, Owners } from '../integration/owner-round.ts';
import { MongoLink } from '../support/mongo-link.ts';
import { startStoreProcess, type StoreProcess } from '../support/store-process.ts';
import { until } from '../support/until.ts';

const mongo = await mongoForFile();
const commits = ({ command }: { command: string }): boolean => command === 'commitTransaction';

describe('a process frozen in the middle of a transaction', { skip: mongo.skip }, () => {
  const database = freshDatabase();
  const url = mongo.backend?.url ?? '';
  const metrics = new Registry();
  /** Of a process that goes on. Its wait for the frozen one is the default of a real cluster. */
  let store: MongoStore;
  before(async () => {
    store = await openMongoStore({ url, database, metrics });
  });
  after(() => store.close());

  /** One whose next commit is held back on its way, so that it can be frozen with its locks held. */
  async function startFrozen(t: TestContext): Promise<{ frozen: StoreProcess; link: MongoLink }> {
    const link = await MongoLink.to(new URL(url.replace('mongodb:', 'http:')).host);
    const frozen = await startStoreProcess({ url: link.url, database, inactiveTransactionMs: 600_000 });
    t.after(async () => {
      await frozen.stop();
      await link.close();
    });
    return { frozen, link };
  }
  const ended = async (): Promise<number> =>
    (await metrics.getSingleMetric('waypost_store_stale_transactions_total')?.get())?.values[0]?.value ?? 0;

  test('a claim: its partitions are taken over in under 20 s with leases of 15 s, and when it goes on it has nothing and changes nothing', async (t) => {
    const leaseMs = 15_000;
    const { frozen, link } = await startFrozen(t);
    const ids = await enqueue(store.spool, makeMessage());
    const [id = ''] = ids;
    const owner = `frozen-${newId()}`;
    const leases = await frozen.run('acquire', { owner, partitions: allPartitions, leaseMs });
    const held = link.hold(commits);
    const claim = { owner, leases, ids, token: newId(), leaseMs, now: Date.now() };
    const claiming = frozen.run('claim', claim);
    const goOn = await held;
    frozen.freeze();
    const frozenAtMs = performance.now();
    const before = await ended();

    const owners = new Owners({ partitions: store.partitions, leaseMs });
    const taker = owners.add(`taker-${newId()}`);
    taker.start();
    t.after(() => taker.stop());
    await until('all are taken over', 20_000, () => String(owners.sizes()) === String(evenSizes(1)));
    const tookMs = performance.now() - frozenAtMs;
    t.diagnostic(`partitions were taken over after ${Math.round(tookMs)} ms`);
    assert.ok(tookMs < 20_000);
    assert.equal(await ended(), before + 1);
    const [name = ''] = owners.live.keys();
    const next = new QueueOwner(store, name, taker.leasesOf(allPartitions));
    assert.equal((await next.claim(ids)).length, 1);
    const leased = await rowOf(store, id);

    frozen.thaw();
    goOn();
    assert.deepEqual(await claiming, []);
    const { partition, claim: fresh } = leased;
    const epoch = leases.find((lease) => lease.partition === partition)?.epoch ?? 0;
    const stale = { owner, epoch, token: claim.token };
    assert.deepEqual(await frozen.run('renewPartitions', { owner, leases, leaseMs }), []);
    assert.deepEqual(await frozen.run('renew', { claim: stale, ids, leaseMs }), []);
    const at = Date.now();
    const [refused] = await frozen.run('record', [{ id, claim: stale, at, result: permanent }]);
    assert.equal(refused?.answer, 'stale');
    const query = { partitions: allPartitions, now: at, limit: 100 };
    assert.deepEqual(
      await frozen.run('expireLeases', query),
      [],
      'the new holder’s leases are no business of the old one',
    );
    assert.deepEqual(await rowOf(store, id), leased);
    assert.notEqual(fresh?.owner, owner);
  });

  test('a delivery: others deliver to the same account long before a lease has ended, and when it goes on the message is there once', async (t) => {
    const { frozen, link } = await startFrozen(t);
    const accountId = newId();
    await store.database.db.collection<{ _id: string }>('accounts').insertOne({ _id: accountId });
    const name = `owner-${newId()}`;
    const owner = new QueueOwner(store, name, await takeAll(store, name));
    const [first, second] = [
      await owner.leased(makeMessage({ to: [{ accountId }] })),
      await owner.leased(makeMessage({ to: [{ accountId }] })),
    ];
    const [stuck, other] = [first, second].map(({ rows }) => deliveryOf(rows[0]!, { accountId }));
    const held = link.hold(commits);
    const delivering = frozen.run('deliver', [stuck!]);
    const goOn = await held;
    frozen.freeze();
    const frozenAtMs = performance.now();
    // As a worker does, which asks again while the store is busy.
    await until('the other is delivered', 10_000, async () => {
      const [answer] = await store.mailboxes.deliver([other!], Date.now()).catch(() => []);
      return answer?.answer === 'delivered';
    });
    t.diagnostic(`delivered to the account after ${Math.round(performance.now() - frozenAtMs)} ms`);
    const [again] = await store.mailboxes.deliver([stuck!], Date.now());
    assert.equal(again?.answer, 'delivered');
    const state = await store.mailboxes.state(accountId);

    frozen.thaw();
    goOn();
    assert.deepEqual(await delivering, [{ answer: 'duplicate' }]);
    assert.equal(await store.mailboxes.state(accountId), state);
    const { messages } = await store.mailboxes.list(accountId, {}, { limit: 10 });
    assert.equal(messages.length, 2);
  });

  test('killed in the middle of it, its locks go as soon', async (t) => {
    const { frozen, link } = await startFrozen(t);
    const ids = await enqueue(store.spool, makeMessage());
    const owner = `killed-${newId()}`;
    await freeAll(store);
    const leases = await frozen.run('acquire', { owner, partitions: allPartitions, leaseMs: 1_000 });
    const held = link.hold(commits);
    const claiming = frozen.run('claim', { owner, leases, ids, token: newId(), leaseMs: 1_000, now: Date.now() });
    claiming.catch(() => {});
    await held;
    await frozen.stop();
    const killedAtMs = performance.now();
    const got: number[] = [];
    await until('all are taken', 15_000, async () => {
      const taken = await store.partitions.acquire({ owner: 'next', partitions: allPartitions, leaseMs: 60_000 });
      got.push(...taken.map(({ partition }) => partition));
      return got.length === allPartitions.length;
    });
    t.diagnostic(`free after ${Math.round(performance.now() - killedAtMs)} ms`);
  });
});

async function freeAll({ partitions }: MongoStore): Promise<void> {
  for (const { owner, partition, epoch } of await partitions.list())
    if (owner !== null) await partitions.release({ owner, leases: [{ partition, epoch }] });
}

async function takeAll(store: MongoStore, owner: string) {
  await freeAll(store);
  return store.partitions.acquire({ owner, partitions: allPartitions, leaseMs: 600_000 });
}
