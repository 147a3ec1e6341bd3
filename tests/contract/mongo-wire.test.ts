import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CommandStartedEvent, Document } from 'mongodb';
import { partitionOf } from '../../libs/delivery/partition.ts';
import { indexes } from '../../libs/store/mongo/indexes.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import { UnsuitableServer } from '../../libs/store/mongo/server-check.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { startStandalone } from '../support/mongo-standalone.ts';
import { brokenPromise, isWrite } from '../support/mongo-wire.ts';
import { permanent, QueueOwner, temporary } from './deliveries-owner.ts';
import { Courier } from './mailboxes-courier.ts';
import { appended } from './mailboxes-messages.ts';
import { useBlobs } from './mongo-blobs-use.ts';
import { useDkimKeys } from './mongo-dkim-use.ts';
import { useDirectory } from './mongo-directory-use.ts';
import { useGroups } from './mongo-groups-use.ts';
import { allPartitions, dayMs, enqueue, hourMs, makeMessage } from './spool-messages.ts';

const mongo = await mongoForFile();

describe('the MongoDB store on the wire', { skip: mongo.skip }, () => {
  let store: MongoStore;
  let commands: CommandStartedEvent[] = [];
  before(async () => {
    const url = mongo.backend?.url ?? '';
    store = await openMongoStore({ url, database: freshDatabase(), monitorCommands: true });
    store.database.client.on('commandStarted', (event) => commands.push(event));
    await useAll(store);
    await useDirectory(store);
    await useDkimKeys(store);
    await useBlobs(store);
    await useGroups(store);
  });
  after(() => store.close());

  it('every write outside of a transaction, and every commit, asks for a majority and the journal; reads see what a majority has', () => {
    assert.ok(commands.filter(isWrite).length > 20);
    assert.deepEqual(
      commands.map(brokenPromise).filter((problem) => problem !== undefined),
      [],
    );
    const levels = new Set(commands.map(({ command }): unknown => command['readConcern']?.level));
    assert.ok(levels.has('snapshot') && levels.has('majority'));
  });

  it('a write without, and a read of what may be taken back, would be seen', () => {
    const insert = { insert: 'accepts', writeConcern: { w: 'majority' } };
    const find = { find: 'accepts', readConcern: { level: 'local' } };
    assert.match(brokenPromise({ commandName: 'insert', command: insert }) ?? '', /insert of accepts isn’t durable/);
    assert.match(brokenPromise({ commandName: 'commitTransaction', command: {} }) ?? '', /isn’t durable/);
    assert.match(brokenPromise({ commandName: 'find', command: find }) ?? '', /find of accepts reads local/);
  });

  it('each query of each use case walks an index: no collection is scanned, nothing is sorted in memory', async () => {
    const seen = new Set<string>();
    const used = new Set<string>();
    for (const statement of commands.flatMap(statementsOf)) {
      const shape = JSON.stringify(statement, (name, value: unknown) =>
        typeof value === 'object' || distinguishing.has(name) ? value : typeof value,
      );
      if (seen.has(shape)) continue;
      seen.add(shape);
      const explained = await store.database.db.command({ explain: statement, verbosity: 'queryPlanner' });
      for (const stage of stagesOf(explained)) {
        assert.ok(!['COLLSCAN', 'SORT'].includes(stage.stage), `${stage.stage}: ${JSON.stringify(statement)}`);
        if (stage.indexName !== undefined) used.add(stage.indexName);
      }
    }
    assert.ok(seen.size > 40, `${seen.size} shapes`);
    // Garbage has the others.
    const forQueries = indexes
      .filter((index) => index.options?.expireAfterSeconds === undefined)
      .map(({ name }) => name);
    assert.deepEqual(
      forQueries.filter((name) => !used.has(name)),
      [],
    );
  });

  it('what is due is read in steps of the index: few keys, however many rows wait', async () => {
    const at = Date.now();
    const to = Array.from(
      { length: 400 },
      (_, n) => ({ kind: 'remote', destination: 'many.example', rank: n }) as const,
    );
    await enqueue(store.spool, makeMessage({ acceptedAt: at, to }));
    const partitions = [partitionOf('many.example')];
    commands = [];
    await store.deliveries.due({ partitions, now: at, perDestination: 5, limit: 100 });
    const lookup = commands.find(({ command }) =>
      command['pipeline']?.some((stage: Document) => '$lookup' in stage),
    )?.command;
    assert.ok(lookup !== undefined);
    const explained = await store.database.db.command({
      explain: { aggregate: lookup['aggregate'], pipeline: lookup['pipeline'], cursor: {} },
      verbosity: 'executionStats',
    });
    const stages: Document[] = explained['stages'];
    const examined = stages.find((stage) => stage['$lookup'] !== undefined);
    assert.deepEqual(examined?.['indexesUsed'], ['deliveries_ready']);
    assert.ok(Number(examined?.['totalKeysExamined']) < 20, String(examined?.['totalKeysExamined']));
  });

  it('opening it again changes nothing, also when several open at once', async () => {
    const url = mongo.backend?.url ?? '';
    const database = freshDatabase();
    const stores = await Promise.all([1, 2, 3].map(() => openMongoStore({ url, database })));
    assert.equal((await stores[0]!.partitions.list()).length, 256);
    await Promise.all(stores.map((opened) => opened.close()));
  });
});

describe('servers that MongoDB’s store refuses', { skip: mongo.skip }, () => {
  it('one that is too old, and says which will do', async () => {
    const url = mongo.backend?.url ?? '';
    await assert.rejects(openMongoStore({ url, minimumVersion: [99, 1] }), (error) => {
      assert.ok(error instanceof UnsuitableServer);
      assert.match(error.message, /too old/);
      assert.match(error.remedy, /99\.1 or newer/);
      return true;
    });
  });

  it('a standalone server, and says what to do', async (t) => {
    const standalone = await startStandalone(t);
    if (standalone === undefined) return;
    await assert.rejects(openMongoStore({ url: standalone }), (error) => {
      assert.ok(error instanceof UnsuitableServer);
      assert.match(error.message, /standalone/);
      assert.match(error.remedy, /--replSet/);
      return true;
    });
  });
});

/** Every operation of the ports, with and without what it may leave out. */
async function useAll(store: MongoStore): Promise<void> {
  const { spool, deliveries, partitions, mailboxes, database } = store;
  const owner = await QueueOwner.of(store, 'owner');
  const now = Date.now();
  await partitions.renew({
    owner: 'owner',
    leases: [...owner.leases.slice(1), { partition: 0, epoch: 99 }],
    leaseMs: 600_000,
  });
  await partitions.announce({ owner: 'owner', leaseMs: 60_000 });
  await partitions.list();

  const idempotency = { accountId: 'a', key: 'k', requestHash: 'h' };
  await spool.accept(makeMessage({ acceptedAt: now - 2 * dayMs, idempotency }));
  await spool.accept(makeMessage({ idempotency }));
  await spool.findIdempotent('a', 'k', now);
  const unrouted = await spool.unrouted({ partitions: allPartitions, acceptedBefore: now + hourMs, limit: 10 });
  for (const id of unrouted) await spool.fanOut(id);
  const blob = makeMessage({ body: { kind: 'blob', ref: 'some-blob' } });
  await spool.accept(blob);
  await spool.fanOut(blob.messageId);
  await spool.read([blob.messageId]);
  await spool.referredBlobs(['some-blob']);

  const message = makeMessage({ acceptedAt: now, to: Array.from({ length: 6 }, () => ({ expiresAt: now + hourMs })) });
  const ids = await enqueue(spool, message);
  await deliveries.due({ partitions: allPartitions, now, perDestination: 10, limit: 100 });
  await deliveries.nextDueAt({ partitions: allPartitions, now });
  await deliveries.destinationCounts([message.targets[0]!.destination]);
  const claims = await owner.claim(ids.slice(0, 4));
  const claim = claims[0]!.claim!;
  await deliveries.renew({ claim, ids: ids.slice(0, 5), leaseMs: 600_000 });
  await owner.record(ids[0]!, claim, permanent);
  await owner.record(ids[1]!, claim, temporary(now + dayMs));
  await owner.record(ids[2]!, claim, { kind: 'delivered', reply: '250 ok' }, now - 9 * dayMs);
  await deliveries.due({ partitions: allPartitions, now: now + 2 * dayMs, perDestination: 10, limit: 100 });
  await deliveries.steer({ id: ids[5]!, action: 'cancel', now: now - 9 * dayMs, actor: 'admin' });
  const other = await QueueOwner.of(store, 'late', { partitions: [] });
  await other.claim(ids);
  await partitions.release({ owner: 'owner', leases: owner.leases.slice(0, 10) });
  await new QueueOwner(
    store,
    'owner',
    owner.leases.map((lease) => ({ ...lease, epoch: lease.epoch + 1 })),
  ).claim(ids);
  await partitions.acquire({ owner: 'next', partitions: [0, 1], leaseMs: 600_000 });
  await deliveries.expireLeases({ partitions: allPartitions, now, limit: 10 });
  await deliveries.expireRows({ partitions: allPartitions, now: now + 2 * hourMs, limit: 10 });
  await deliveries.owing({ messagePartitions: allPartitions, limit: 10 });
  const started = await deliveries.startReport({ messageId: message.messageId, now });
  await deliveries.finishReport({ messageId: message.messageId, report: started!.report, now });
  await deliveries.ofMessage(message.messageId);
  await deliveries.get(ids[0]!);
  await deliveries.counts();
  const page = { limit: 5 };
  const filters = [
    {},
    { state: 'delivered' as const },
    { destination: 'local:1' },
    { sender: 'sender@remote.example' },
    { recipient: 'user0@example.test' },
    { domain: 'example.test' },
    { error: '550' },
    { acceptedBefore: now + hourMs },
    { sender: 'sender@remote.example', state: 'queued' as const, error: 'x', acceptedBefore: now + hourMs },
    { sender: 'sender@remote.example', recipient: 'user0@example.test', domain: 'example.test' },
  ];
  for (const filter of filters) {
    await deliveries.list(filter, page);
    await deliveries.list(filter, { ...page, cursor: ids[0]! });
  }

  await partitions.release({ owner: 'owner', leases: owner.leases });
  await partitions.release({
    owner: 'next',
    leases: await partitions.acquire({ owner: 'next', partitions: allPartitions, leaseMs: 60_000 }),
  });
  const courier = new Courier({
    ...store,
    features: { search: false },
    addAccount: async (id) => {
      await database.accounts.insertOne({ _id: id });
    },
    removeAccountFromDirectory: async (id) => {
      await database.accounts.deleteOne({ _id: id });
    },
  });
  await partitions.release({
    owner: 'next',
    leases: (await partitions.list()).filter((held) => held.owner === 'next'),
  });
  const accountId = await courier.account();
  await mailboxes.mailboxes(accountId);
  const delivered = await courier.bringAll(accountId, [
    {},
    { summary: { inReplyTo: ['x@y'] } },
    { summary: { subject: 'Re: A letter' } },
  ]);
  const [again] = await courier.claimed([{ accountId }]);
  await mailboxes.deliver([again!], now);
  await mailboxes.deliver([again!], now);
  const since = await mailboxes.state(accountId);
  const words = { from: ['ann'], to: ['ben'], subject: ['a', 'letter'], text: ['some', 'words'] };
  for (const { id } of await mailboxes.unindexed(2)) await mailboxes.index([{ accountId, id, ...words }]);
  for (const filter of [{ text: [['some', 'words']] }, { subject: [['letter']], mailbox: 'inbox', unread: true }]) {
    const { next } = await mailboxes.list(accountId, filter, { limit: 1 });
    await mailboxes.list(accountId, filter, next === null ? { limit: 1 } : { limit: 1, cursor: next });
  }
  const row = await mailboxes.append(accountId, appended('A draft'));
  await mailboxes.append(accountId, { ...appended('Large'), body: { kind: 'blob', ref: 'appended-blob' } });
  await mailboxes.raw(accountId, row.id);
  await mailboxes.raw(accountId, delivered[0]!);
  const box = await mailboxes.createMailbox(accountId, { name: 'Box', parentId: null });
  await mailboxes.updateMailbox(accountId, box.id, { name: 'Other' });
  await mailboxes.update(accountId, delivered[0]!, { mailboxIds: { [box.id]: true }, keywords: { $seen: true } }, {});
  await mailboxes.deleteMailbox(accountId, box.id, { moveTo: await courier.mailboxId(accountId, 'archive') });
  const cursor = { receivedAt: now, id: row.id };
  for (const mailbox of [{}, { mailbox: 'inbox' }]) {
    for (const filter of [{}, { unread: true }, { hasAttachment: false }, { since: 1, before: now }]) {
      await mailboxes.list(accountId, { ...mailbox, ...filter }, { limit: 2 });
      await mailboxes.list(accountId, { ...mailbox, ...filter }, { limit: 2, cursor });
    }
  }
  await mailboxes.changes(accountId, since, 10);
  await mailboxes.setQuota(accountId, { bytes: 10_000_000, messages: null });
  await mailboxes.usage([accountId]);
  await mailboxes.destroy(accountId, delivered[1]!, { now: now - 40 * dayMs });
  await mailboxes.destroy(accountId, row.id, { now: now - 40 * dayMs });
  await mailboxes.purge({ before: now - 30 * dayMs, limit: 10 });
  await spool.referredBlobs(['appended-blob']);
  for (const day of [1, 3, 5, 40, 80]) await spool.collect({ now: now + day * dayMs, keepMs: dayMs, limit: 100 });
  await deliveries.purge({ before: now - 8 * dayMs, limit: 100 });
  await courier.store.removeAccountFromDirectory(accountId);
  while ((await mailboxes.removeAccount(accountId, 100)) > 0);
  await spool.probe(5_000);
}

/** What the command looks for, as commands that can be explained on their own. */
function statementsOf({ commandName, command }: CommandStartedEvent): Document[] {
  if (command['aggregate'] === 1 || command['pipeline']?.[0]?.$currentOp !== undefined) return [];
  if (commandName === 'update')
    return command['updates'].map((one: Document) => ({ update: command['update'], updates: [one] }));
  if (commandName === 'delete')
    return command['deletes'].map((one: Document) => ({ delete: command['delete'], deletes: [one] }));
  if (!['find', 'aggregate', 'distinct', 'findAndModify'].includes(commandName)) return [];
  const statement = Object.entries(command).filter(([name]) => !ofTheSession.has(name));
  return [{ ...Object.fromEntries(statement), ...(commandName === 'aggregate' ? { cursor: {} } : {}) }];
}

const ofTheSession = new Set([
  'lsid',
  '$clusterTime',
  '$db',
  'txnNumber',
  'autocommit',
  'startTransaction',
  'readConcern',
  'writeConcern',
]);

/** Fields whose values make another shape of a statement. */
const distinguishing = new Set(['find', 'aggregate', 'distinct', 'update', 'delete', 'key', 'hint', 'lane']);

interface Stage {
  stage: string;
  indexName?: string;
}

function stagesOf(plan: unknown): Stage[] {
  if (typeof plan !== 'object' || plan === null) return [];
  const inner = Object.entries(plan)
    .filter(([name]) => name !== 'rejectedPlans' && name !== 'command')
    .flatMap(([, value]) => stagesOf(value));
  if (!('stage' in plan) || typeof plan.stage !== 'string') return inner;
  const { stage } = plan;
  const indexName = 'indexName' in plan && typeof plan.indexName === 'string' ? plan.indexName : undefined;
  return [indexName === undefined ? { stage } : { stage, indexName }, ...inner];
}
