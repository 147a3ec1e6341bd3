import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isStoreTrouble, StoreUnavailable } from '../../libs/store/errors.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import { verifyMongoStore } from '../../libs/store/mongo/verify/verify.ts';
import { mongoBlobs } from '../../libs/store/mongo/blobs/blobs.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { MongoLink } from '../support/mongo-link.ts';
import { permanent, QueueOwner } from './deliveries-owner.ts';
import { Courier } from './mailboxes-courier.ts';
import { allPartitions, dayMs, enqueue, makeMessage } from './spool-messages.ts';

const mongo = await mongoForFile({ members: 3, own: true });

describe('MongoDB, when its primary steps down in the middle', { skip: mongo.skip }, () => {
  let store: MongoStore;
  before(async () => {
    store = await openMongoStore({ url: mongo.backend?.url ?? '', database: freshDatabase() });
  });
  after(() => store.close());

  /** Elections take seconds; whoever has trouble with the store asks again, as the services do. Any other error is the test's. */
  async function persistent<T>(work: () => Promise<T>): Promise<T> {
    const giveUpAt = performance.now() + 60_000;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isStoreTrouble(error) || performance.now() > giveUpAt) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** `work` again and again from some callers at once; the primary steps down while it runs, and it goes on until some have succeeded after that. */
  async function duringStepDown(work: (caller: number) => Promise<void>): Promise<void> {
    let [done, enough] = [0, Number.POSITIVE_INFINITY];
    const callers = Array.from({ length: 4 }, async (_, caller) => {
      while (done < enough) {
        await work(caller);
        done += 1;
      }
    });
    const failed = Promise.all(callers);
    failed.catch(() => undefined);
    while (done < 8) await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, 10))]);
    const admin = store.database.client.db('admin');
    await admin.command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5 }).catch(() => undefined);
    enough = done + 20;
    await failed;
  }

  it('spool: what was acknowledged is there once, with its rows', async () => {
    const accepted: string[] = [];
    await duringStepDown(async () => {
      const message = makeMessage({ to: [{}, {}] });
      const answer = await persistent(() => store.spool.accept(message));
      assert.deepEqual(answer, { accepted: true, messageId: message.messageId });
      assert.equal(await persistent(() => store.spool.fanOut(message.messageId)), true);
      accepted.push(message.messageId);
    });
    assert.equal((await store.spool.read(accepted)).size, accepted.length);
    for (const id of accepted) assert.equal((await store.deliveries.ofMessage(id)).length, 2);
    const unrouted = { partitions: allPartitions, acceptedBefore: Date.now() + dayMs, limit: 10 };
    assert.deepEqual(await store.spool.unrouted(unrouted), []);
  });

  it('deliveries: a claim and an outcome that were asked for again happened once', async () => {
    const owner = await QueueOwner.of(store, 'owner');
    const ended: string[] = [];
    await duringStepDown(async () => {
      const message = makeMessage();
      const [id = ''] = await persistent(() => enqueue(store.spool, message));
      const token = newId();
      const [row] = await persistent(() => owner.claim([id], { token }));
      assert.equal(row?.state, 'leased');
      const told = await persistent(() => owner.record(id, row.claim!, permanent));
      assert.deepEqual(told, { answer: 'recorded', state: 'failed' });
      ended.push(id);
    });
    for (const id of ended) {
      const found = await store.deliveries.get(id);
      assert.deepEqual([found?.row.state, found?.row.attempts, found?.attempts.length], ['failed', 1, 1]);
    }
    await store.partitions.release({ owner: 'owner', leases: owner.leases });
  });

  it('partitions: each has one holder, who knows it, and epochs only grow', async () => {
    const held = new Map<number, { owner: string; epoch: number }>();
    const last = new Map<number, number>();
    await duringStepDown(async (caller) => {
      const owner = `owner-${caller}`;
      const mine = allPartitions.filter((partition) => partition % 8 === caller);
      const leases = await persistent(() => store.partitions.acquire({ owner, partitions: mine, leaseMs: 60_000 }));
      for (const { partition, epoch } of leases) {
        assert.ok(epoch > (last.get(partition) ?? 0));
        last.set(partition, epoch);
        held.set(partition, { owner, epoch });
      }
      // An answer that never came: what was got is known by the list.
      const all = await persistent(() => store.partitions.list());
      const ours = all.filter((one) => one.owner === owner && mine.includes(one.partition));
      assert.equal(ours.length, mine.length);
      await persistent(() => store.partitions.release({ owner, leases: ours }));
    });
    assert.ok(held.size > 0);
    assert.ok((await store.partitions.list()).every(({ owner }) => owner === null));
  });

  it('mailboxes: each delivered copy is there once, in an order without gaps, and the store is whole', async () => {
    const { accounts } = store.database;
    const courier = new Courier({
      ...store,
      features: { search: true },
      addAccount: async (id) => {
        await accounts.insertOne({ _id: id });
      },
      removeAccountFromDirectory: async (id) => {
        await accounts.deleteOne({ _id: id });
      },
    });
    const ids = await Promise.all(Array.from({ length: 4 }, () => courier.account()));
    const batches = await Promise.all(
      ids.map((accountId) => courier.claimed(Array.from({ length: 60 }, () => ({ accountId })))),
    );
    const brought = ids.map(() => 0);
    await duringStepDown(async (caller) => {
      const delivery = batches[caller]?.[brought[caller]!];
      if (delivery === undefined) return void (await persistent(() => store.mailboxes.state(ids[caller]!)));
      const [answer] = await persistent(() => store.mailboxes.deliver([delivery], Date.now()));
      assert.ok(answer?.answer === 'delivered' || answer?.answer === 'duplicate', answer?.answer);
      brought[caller]! += 1;
    });
    for (const [caller, accountId] of ids.entries()) {
      const { messages } = await store.mailboxes.list(accountId, {}, { limit: 100 });
      const modseqs = messages.map(({ modseq }) => modseq).toSorted((a, b) => a - b);
      assert.deepEqual(
        modseqs,
        Array.from({ length: brought[caller]! }, (_, n) => n + 2),
      );
    }
    assert.deepEqual((await verifyMongoStore(store.database, mongoBlobs(store.database))).faults, []);
  });
});

describe('MongoDB, when a cursor is killed', { skip: mongo.skip }, () => {
  let link: MongoLink;
  let store: MongoStore;
  let other: MongoStore;
  before(async () => {
    const database = freshDatabase();
    const { host } = await mongo.backend!.primary();
    other = await openMongoStore({ url: mongo.backend?.url ?? '', database });
    link = await MongoLink.to(host);
    store = await openMongoStore({ url: link.url, database });
  });
  after(async () => {
    link.heal();
    await store.close();
    await other.close();
    await link.close();
  });

  /** The read's cursor is killed between its first answer and its next: that is the store's trouble, no half answer, and the repeat has all. */
  async function loses<T>(read: () => Promise<T>): Promise<T> {
    const whole = await read();
    const reached = link.hold(({ command }) => command === 'getMore');
    const reading = read();
    reading.catch(() => undefined);
    const goOn = await reached;
    const ended = await killCursors();
    assert.ok(ended > 0, 'a cursor was killed');
    goOn();
    await assert.rejects(reading, StoreUnavailable);
    assert.deepEqual(await read(), whole);
    return whole;
  }

  async function killCursors(): Promise<number> {
    const { client, db } = other.database;
    const idle = [{ $currentOp: { idleCursors: true, allUsers: true } }, { $match: { type: 'idleCursor' } }];
    const found = await client
      .db('admin')
      .aggregate(idle, { readConcern: { level: 'local' } })
      .toArray();
    const ours = found.filter(({ ns }) => String(ns).startsWith(`${db.databaseName}.`));
    for (const { ns, cursor } of ours) {
      await db.command({ killCursors: String(ns).slice(db.databaseName.length + 1), cursors: [cursor.cursorId] });
    }
    return ours.length;
  }

  it('partitions: the list', async () => {
    assert.equal((await loses(() => store.partitions.list())).length, 256);
  });

  it('spool and deliveries: what the sweeps look for, rows of a message, lists', async () => {
    const message = makeMessage({ to: Array.from({ length: 300 }, () => ({})) });
    await enqueue(other.spool, message);
    assert.equal((await loses(() => store.deliveries.ofMessage(message.messageId))).length, 300);
    assert.equal((await loses(() => store.deliveries.list({}, { limit: 250 }))).length, 250);
    await Promise.all(Array.from({ length: 300 }, () => other.spool.accept(makeMessage())));
    const unrouted = { partitions: allPartitions, acceptedBefore: Date.now() + dayMs, limit: 1_000 };
    assert.equal((await loses(() => store.spool.unrouted(unrouted))).length, 300);
  });

  it('mailboxes: a page of a list, and what has changed', async () => {
    const { accounts } = other.database;
    const courier = new Courier({
      ...other,
      features: { search: true },
      addAccount: async (id) => {
        await accounts.insertOne({ _id: id });
      },
      removeAccountFromDirectory: async (id) => {
        await accounts.deleteOne({ _id: id });
      },
    });
    const accountId = await courier.account();
    const since = await store.mailboxes.state(accountId);
    await courier.bringAll(
      accountId,
      Array.from({ length: 150 }, () => ({})),
    );
    const page = await loses(() => store.mailboxes.list(accountId, {}, { limit: 140 }));
    assert.equal(page.messages.length, 140);
    const changes = await loses(() => store.mailboxes.changes(accountId, since, 140));
    assert.equal(changes.created.length, 140);
  });
});
