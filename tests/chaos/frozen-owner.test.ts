import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Timestamp } from 'mongodb';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { type MailSystem, openMailSystem } from '../integration/mail-system.ts';
import { type MailNode, MailNodes } from '../support/mail-node.ts';
import { until } from '../support/until.ts';

const mongo = await mongoForFile();

/** Two fifths of what is usual, and of the 20 s in which all must be taken over. */
const leaseMs = 6_000;
const takeoverMs = 8_000;
const waitMs = 60_000;

interface Cluster {
  mail: MailSystem;
  accounts: readonly string[];
  /** Each with half of the partitions. */
  first: MailNode;
  second: MailNode;
  /** Of the first's queue, in the store. */
  firstOwner: string;
  database: string;
  startNode: () => Promise<MailNode>;
  send: (many: number) => Promise<void>;
  sent: () => number;
  holders: () => Promise<Map<string, number>>;
  allDelivered: () => Promise<void>;
}

async function startCluster(t: TestContext): Promise<Cluster> {
  const database = freshDatabase();
  const nodes = new MailNodes();
  t.after(() => nodes.close());
  const options = {
    mongo: { url: mongo.backend?.url ?? '', database, inactiveTransactionMs: 1_600 },
    config: { partitionLeaseMs: leaseMs, deliveryLeaseMs: leaseMs, sweepIntervalMs: 1_000 },
  };
  const mail = await openMailSystem(t, { ...options, wrapBus: nodes.wrapBus });
  const accounts = await Promise.all(Array.from({ length: 12 }, (_, n) => mail.addAccount(`user${n}`)));
  const holders = async (): Promise<Map<string, number>> => {
    const counts = new Map<string, number>();
    for (const { owner, remainingMs } of await mail.partitions.list())
      if (owner !== null && remainingMs > 0) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    return counts;
  };
  let sent = 0;
  const first = await nodes.start(options);
  await until('the first has all', waitMs, async () => String([...(await holders()).values()]) === '256');
  const [firstOwner = ''] = (await holders()).keys();
  const second = await nodes.start(options);
  await until('each has half', waitMs, async () => String([...(await holders()).values()]) === '128,128');
  return {
    mail,
    accounts,
    first,
    second,
    firstOwner,
    database,
    startNode: () => nodes.start(options),
    holders,
    sent: () => sent,
    async send(many) {
      const sending = Array.from({ length: many }, () => {
        const n = sent++;
        return mail.accept([accounts[n % accounts.length] ?? ''], { raw: `Subject: ${n}\r\n\r\n.\r\n` });
      });
      await Promise.all(sending);
    },
    allDelivered: () =>
      until(
        `all ${sent} are delivered`,
        waitMs,
        async () => (await mail.deliveries.counts()).byState.delivered === sent,
      ),
  };
}

async function assertEachOnce({ mail, accounts, sent }: Cluster): Promise<void> {
  const messages = (await Promise.all(accounts.map((account) => mail.inbox(account)))).flat();
  assert.equal(new Set(messages.map(({ subject }) => subject)).size, sent());
  assert.equal(messages.length, sent());
}

async function tookMs(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return Math.round(performance.now() - startMs);
}

const options = { skip: mongo.skip, timeout: 120_000 };

test(
  'an owner and worker frozen under load for longer than its lease is followed in time, and changes nothing of what others did when it goes on',
  options,
  async (t) => {
    const cluster = await startCluster(t);
    const { mail, first, firstOwner, holders, send, allDelivered } = cluster;
    const sending = send(800);
    await until('some are delivered', waitMs, async () => (await mail.deliveries.counts()).byState.delivered > 20);
    first.freeze();
    const took = await tookMs(() =>
      until(
        'the other has all',
        waitMs,
        async () => !(await holders()).has(firstOwner) && [...(await holders()).values()].includes(256),
      ),
    );
    t.diagnostic(`partitions of the frozen owner were taken over after ${took} ms of leases of ${leaseMs} ms`);
    assert.ok(took < takeoverMs, `${took} ms`);
    await sending;
    await allDelivered();
    await assertEachOnce(cluster);

    const changes = await watchMail(t, cluster);
    first.thaw();
    await until(
      'the one that was frozen has its share again',
      waitMs,
      async () => (await holders()).get(firstOwner) === 128,
    );
    const marker = await mail.accept([cluster.accounts[0] ?? ''], { raw: 'Subject: marker\r\n\r\n.\r\n' });
    await until('the marker is seen', waitMs, () => changes.some(({ id }) => id === marker));
    const before = changes.slice(
      0,
      changes.findIndex(({ id }) => id === marker),
    );
    assert.deepEqual(before, [], 'nothing was written between its going on and the next message');
    await until('the marker is delivered', waitMs, async () => String(await mail.states(marker)) === 'delivered');
  },
);

test(
  'a killed owner and worker is followed in time, one that is told to end at once, and each message is delivered once',
  options,
  async (t) => {
    const cluster = await startCluster(t);
    const { mail, first, firstOwner, holders, send, allDelivered } = cluster;
    const oneHasAll = (): Promise<void> =>
      until('one has all', waitMs, async () => String([...(await holders()).values()]) === '256');
    const sending = send(600);
    await until('some are delivered', waitMs, async () => (await mail.deliveries.counts()).byState.delivered > 20);
    await first.kill();
    const killed = await tookMs(oneHasAll);
    t.diagnostic(`killed: partitions were taken over after ${killed} ms of leases of ${leaseMs} ms`);
    assert.ok(killed < takeoverMs, `${killed} ms`);
    await sending;
    await allDelivered();
    assert.equal((await holders()).has(firstOwner), false);

    const third = await cluster.startNode();
    await until('each has half', waitMs, async () => String([...(await holders()).values()]) === '128,128');
    const more = send(600);
    const ended = third.terminate();
    const told = await tookMs(oneHasAll);
    t.diagnostic(`told to end: partitions were taken over after ${told} ms`);
    assert.ok(told < leaseMs / 2, `${told} ms`);
    await ended;
    await more;
    await allDelivered();
    await assertEachOnce(cluster);
  },
);

/** What is written of mail from now on, in order; not what is indexed for searches. */
async function watchMail(
  t: TestContext,
  { database }: Cluster,
): Promise<{ collection: string; kind: string; id: string }[]> {
  const store = await openMongoStore({ url: mongo.backend?.url ?? '', database });
  const written = ['deliveries', 'accepts', 'mail_accounts'];
  const { operationTime } = await store.database.db.command({ ping: 1 });
  assert.ok(operationTime instanceof Timestamp);
  const startAtOperationTime = new Timestamp(operationTime.toBigInt() + 1n);
  const pipeline = [
    {
      $match: {
        $or: [{ 'ns.coll': { $in: written } }, { 'ns.coll': 'messages', operationType: { $in: ['insert', 'delete'] } }],
      },
    },
  ];
  const stream = store.database.db.watch(pipeline, { startAtOperationTime });
  const changes: { collection: string; kind: string; id: string }[] = [];
  stream.on('change', (change) => {
    if (!('documentKey' in change)) return;
    changes.push({ collection: change.ns.coll, kind: change.operationType, id: String(change.documentKey._id) });
  });
  stream.on('error', () => {});
  t.after(async () => {
    await stream.close();
    await store.close();
  });
  return changes;
}
