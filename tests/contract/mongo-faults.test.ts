import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { localDestination, partitionOf } from '../../libs/delivery/partition.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { OutcomeUnknown, StoreFull, StoreUnavailable } from '../../libs/store/errors.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import type { LocalDelivery } from '../../libs/store/ports/mailboxes.ts';
import { freshDatabase, mongoForFile, requireMongo } from '../backends/require.ts';
import { MongoLink } from '../support/mongo-link.ts';
import { QueueOwner, stateOf } from './deliveries-owner.ts';
import { Courier, deliveryOf } from './mailboxes-courier.ts';
import { until } from './partitions.ts';
import { allPartitions, enqueue, makeMessage } from './spool-messages.ts';

const mongo = await mongoForFile();
const acceptDeadlineMs = 400;

describe('MongoDB, when replies are lost', { skip: mongo.skip }, () => {
  let link: MongoLink;
  /** Over the link; `other` is another process with a good connection. */
  let store: MongoStore;
  let other: MongoStore;
  let owner: QueueOwner;
  before(async () => {
    const url = mongo.backend?.url ?? '';
    const database = freshDatabase();
    other = await openMongoStore({ url, database });
    link = await MongoLink.to(new URL(url.replace('mongodb:', 'http:')).host);
    store = await openMongoStore({ url: link.url, database, acceptDeadlineMs });
    owner = await QueueOwner.of(store, 'owner');
  });
  after(async () => {
    link.heal();
    await store.close();
    await other.close();
    await link.close();
  });

  const inserts = (collection: string) => (request: { command: string; collection: string }) =>
    request.command === 'insert' && request.collection === collection;
  const updates = (collection: string) => (request: { command: string; collection: string }) =>
    request.command === 'update' && request.collection === collection;
  const commits = ({ command }: { command: string }): boolean => command === 'commitTransaction';

  it('an accept whose reply is lost is one message, told as accepted', async () => {
    const message = makeMessage();
    link.loseReplies(1, inserts('accepts'));
    assert.deepEqual(await store.spool.accept(message), { accepted: true, messageId: message.messageId });
    assert.equal(await other.database.accepts.countDocuments({ _id: message.messageId }), 1);
  });

  it('an accept whose reply is lost again is unknown: no more is taken until a probe commits, and its repeat is one message', async () => {
    const message = makeMessage();
    link.loseReplies(2, inserts('accepts'));
    link.mute(updates('probes'));
    await assert.rejects(store.spool.accept(message), OutcomeUnknown);
    await assert.rejects(store.spool.accept(makeMessage()), StoreUnavailable);
    assert.equal(store.healthy(), false);
    assert.equal(await store.spool.probe(100), false);
    await assert.rejects(store.spool.accept(makeMessage()), StoreUnavailable);
    link.heal();
    assert.equal(await store.spool.probe(5_000), true);
    assert.deepEqual(await store.spool.accept(message), { accepted: true, messageId: message.messageId });
    assert.equal(await store.spool.fanOut(message.messageId), true);
    assert.equal((await store.deliveries.ofMessage(message.messageId)).length, 1);
  });

  it('no answer within the deadline is unknown for the batch, and nothing was written for those behind it', async () => {
    link.mute(inserts('accepts'));
    const [first, second] = [makeMessage(), makeMessage()];
    const writing = store.spool.accept(first);
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = store.spool.accept(second);
    const begun = performance.now();
    const results = await Promise.allSettled([writing, waiting]);
    assert.ok(performance.now() - begun < acceptDeadlineMs * 3);
    assert.deepEqual(
      results.map((result) => (result.status === 'rejected' ? result.reason.name : result.value)),
      ['OutcomeUnknown', 'StoreUnavailable'],
    );
    link.heal();
    assert.equal((await other.spool.read([second.messageId])).size, 0);
    // Whoever comes makes it probe again.
    await until(() =>
      store.spool.accept(second).then(
        ({ accepted }) => [accepted],
        () => [],
      ),
    );
    assert.equal((await store.spool.accept(first)).accepted, true);
  });

  it('a fan-out whose reply is lost leaves every row once', async () => {
    const message = makeMessage({ to: [{}, {}, {}] });
    await store.spool.accept(message);
    link.loseReplies(2, inserts('deliveries'));
    await assert.rejects(store.spool.fanOut(message.messageId));
    link.heal();
    assert.equal(await other.spool.fanOut(message.messageId), true);
    assert.equal((await store.deliveries.ofMessage(message.messageId)).length, 3);
  });

  it('a claim whose commit loses its reply, twice, has its rows, leased once', async () => {
    const ids = await enqueue(store.spool, makeMessage({ to: [{}, {}] }));
    link.loseReplies(2, commits);
    const rows = await owner.claim(ids);
    assert.deepEqual(
      rows.map(({ id, state }) => [id, state]),
      ids.map((id) => [id, 'leased']),
    );
    assert.deepEqual(await owner.claim(ids), []);
  });

  it('an outcome whose commit loses its reply, twice, is one attempt', async () => {
    const { ids, claim } = await owner.leased(makeMessage());
    link.loseReplies(2, commits);
    const result = { kind: 'failed', reply: '550 no', replyClass: 'permanent' } as const;
    assert.deepEqual(await owner.record(ids[0]!, claim, result), { answer: 'recorded', state: 'failed' });
    const entry = await store.deliveries.get(ids[0]!);
    assert.deepEqual([entry?.row.attempts, entry?.attempts.length], [1, 1]);
  });

  it('partitions that were got although the reply was lost are answered', async () => {
    await other.partitions.release({ owner: 'owner', leases: owner.leases });
    link.loseReplies(1, updates('partitions'));
    owner.leases = await store.partitions.acquire({ owner: 'owner', partitions: allPartitions, leaseMs: 600_000 });
    assert.equal(owner.leases.length, allPartitions.length);
    assert.ok((await other.partitions.list()).every(({ owner: holder }) => holder === 'owner'));
  });

  it('a local delivery that loses a reply, within its transaction or of its commit, is one message', async () => {
    for (const matches of [inserts('messages'), updates('mail_accounts'), commits]) {
      const { accountId, delivery } = await claimedDelivery(store, owner);
      link.loseReplies(1, matches);
      const [answer] = await store.mailboxes.deliver([delivery], Date.now());
      assert.equal(answer?.answer, 'delivered');
      const { messages } = await other.mailboxes.list(accountId, {}, { limit: 10 });
      assert.equal(messages.length, 1);
      assert.equal((await other.mailboxes.usage([accountId])).get(accountId)?.messages, 1);
      assert.equal(await stateOf(other, delivery.deliveryId), 'delivered');
      assert.deepEqual(await store.mailboxes.deliver([delivery], Date.now()), [{ answer: 'duplicate' }]);
    }
  });

  it('promise 5: a partition taken over between the claim’s look and its commit: the claim gets nothing', async () => {
    const destination = 'takeover.example';
    const partitions = [partitionOf(destination)];
    for (const request of [updates('partitions'), updates('deliveries')]) {
      const [id = ''] = await enqueue(other.spool, makeMessage({ to: [{ kind: 'remote', destination }] }));
      const lease = owner.leases.filter(({ partition }) => partitions.includes(partition));
      await other.partitions.release({ owner: 'owner', leases: lease });
      const old = await QueueOwner.of(store, `old-${id}`, { partitions, leaseMs: 600_000 });
      const reached = link.hold(request);
      const claiming = old.claim([id]);
      const goOn = await reached;
      // The claim has read the row and the lease by now, and written nothing that anybody sees.
      await other.partitions.release({ owner: old.name, leases: old.leases });
      const taker = await QueueOwner.of(other, `new-${id}`, { partitions });
      assert.equal(taker.leases.length, 1);
      goOn();
      assert.deepEqual(await claiming, []);
      assert.equal(await stateOf(other, id), 'queued');
      assert.equal((await taker.claim([id])).length, 1);
      await other.partitions.release({ owner: taker.name, leases: taker.leases });
      const again = await other.partitions.acquire({ owner: 'owner', partitions, leaseMs: 600_000 });
      owner.leases = [...owner.leases.filter(({ partition }) => !partitions.includes(partition)), ...again];
    }
  });

  it('a claim that comes to its commit holds the takeover up until it is there, and the row is the claim’s', async () => {
    const destination = localDestination('commit');
    const partitions = [partitionOf(destination)];
    const [id = ''] = await enqueue(other.spool, makeMessage({ to: [{ destination }] }));
    const lease = owner.leases.filter(({ partition }) => partitions.includes(partition));
    await other.partitions.release({ owner: 'owner', leases: lease });
    const old = await QueueOwner.of(store, 'old', { partitions, leaseMs: 1_000 });
    const reached = link.hold(commits);
    const claiming = old.claim([id]);
    const goOn = await reached;
    let taken = false;
    const takeOver = until(() => other.partitions.acquire({ owner: 'new', partitions, leaseMs: 600_000 })).then(
      (leases) => {
        taken = true;
        return leases;
      },
    );
    const left = async () => (await other.partitions.list()).filter((held) => partitions.includes(held.partition));
    await until(async () => (await left()).filter(({ remainingMs }) => remainingMs <= 0));
    assert.equal(taken, false);
    goOn();
    assert.equal((await claiming).length, 1);
    const leases = await takeOver;
    assert.deepEqual(await old.claim([id]), []);
    const end = () => other.deliveries.expireLeases({ partitions, now: Date.now(), limit: 10 });
    await until(async () => (await end()).filter((row) => row.id === id));
    await other.partitions.release({ owner: 'new', leases });
  });

  it('a disk that is nearly full takes no more mail, and what is there stays', async () => {
    const full = await openMongoStore({
      url: mongo.backend?.url ?? '',
      database: other.database.db.databaseName,
      fullShare: 0,
    });
    const message = makeMessage();
    await other.spool.accept(message);
    await assert.rejects(full.spool.accept(makeMessage()), StoreFull);
    assert.equal(await full.spool.fanOut(message.messageId), true);
    assert.equal((await full.spool.read([message.messageId])).size, 1);
    await full.close();
  });

  it('two processes that deliver to the same accounts keep every message, in an order without gaps', async () => {
    await other.partitions.release({ owner: 'owner', leases: owner.leases });
    const courier = new Courier({ ...other, features: { search: true }, ...directoryOf(other) });
    const accounts = await Promise.all(Array.from({ length: 4 }, () => courier.account()));
    const rounds = await Promise.all(
      Array.from({ length: 16 }, () => courier.claimed(accounts.map((accountId) => ({ accountId })))),
    );
    await Promise.all(
      rounds.map(async (batch, n) => {
        const answers = await (n % 2 === 0 ? store : other).mailboxes.deliver(batch, Date.now());
        for (const { answer } of answers) assert.equal(answer, 'delivered');
      }),
    );
    for (const accountId of accounts) {
      const { state, messages } = await other.mailboxes.list(accountId, {}, { limit: 100 });
      const modseqs = messages.map(({ modseq }) => modseq).sort((a, b) => a - b);
      assert.deepEqual(
        modseqs,
        Array.from({ length: 16 }, (_, n) => n + 2),
      );
      assert.equal(state, '1.17');
      const inbox = (await other.mailboxes.mailboxes(accountId)).mailboxes.find(({ role }) => role === 'inbox');
      assert.deepEqual([inbox?.totalEmails, inbox?.unreadEmails], [16, 16]);
    }
  });
});

it('promise 1: what was accepted before the primary was killed is there after the election, and mail is taken again', async (t) => {
  const set = await requireMongo(t, { members: 3, own: true });
  if (set === undefined) return;
  const store = await openMongoStore({ url: set.url, database: freshDatabase() });
  t.after(() => store.close());
  const acknowledged: string[] = [];
  const errors = new Set<string>();
  let writing = true;
  const callers = Array.from({ length: 10 }, async () => {
    while (writing) {
      const message = makeMessage();
      try {
        await store.spool.accept(message);
        acknowledged.push(message.messageId);
      } catch (error) {
        assert.ok(error instanceof Error);
        errors.add(error.name);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  });
  await until(() => Promise.resolve(acknowledged.length > 200 ? [true] : []));
  await (await set.primary()).kill();
  const before = acknowledged.length;
  // FACTS of elections: 4 to 5 s, once 30 s.
  const begun = performance.now();
  while (acknowledged.length < before + 50 && performance.now() - begun < 60_000) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  writing = false;
  await Promise.all(callers);
  assert.ok(acknowledged.length >= before + 50, 'mail is taken again');
  for (const name of errors) assert.ok(['OutcomeUnknown', 'StoreUnavailable', 'StoreBusy'].includes(name), name);
  const kept = await store.spool.read(acknowledged);
  assert.deepEqual(
    acknowledged.filter((id) => !kept.has(id)),
    [],
  );
});

function directoryOf(store: MongoStore) {
  return {
    addAccount: async (id: string): Promise<void> => {
      await store.database.accounts.insertOne({ _id: id });
    },
    removeAccountFromDirectory: async (id: string): Promise<void> => {
      await store.database.accounts.deleteOne({ _id: id });
    },
  };
}

async function claimedDelivery(
  store: MongoStore,
  owner: QueueOwner,
): Promise<{ accountId: string; delivery: LocalDelivery }> {
  const accountId = newId();
  await directoryOf(store).addAccount(accountId);
  const { rows } = await owner.leased(makeMessage({ to: [{ accountId }] }));
  return { accountId, delivery: deliveryOf(rows[0]!, { accountId }) };
}
