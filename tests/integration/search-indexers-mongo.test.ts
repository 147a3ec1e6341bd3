import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Registry } from 'prom-client';
import { openFileBlobs } from '../../libs/blobs/file.ts';
import { ParsePool } from '../../libs/mail/parse-pool/parse-pool.ts';
import { createLogger } from '../../libs/ops/logger.ts';
import { systemClock } from '../../libs/runtime/clock.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import { ByteBudget } from '../../libs/runtime/byte-budget.ts';
import { Indexer } from '../../services/mailbox/indexer/indexer.ts';
import { mailboxMetrics } from '../../services/mailbox/metrics.ts';
import { freshDatabase, requireMongo } from '../backends/require.ts';
import { Courier } from '../contract/mailboxes-courier.ts';
import { until } from '../support/until.ts';

/** Promised of search after a delivery. */
const completeWithinMs = 5_000;
const many = 240;

test('two indexers over one MongoDB make all mail searchable within 5 s, each message once, also what no process had in its queue', async (t) => {
  const backend = await requireMongo(t, { members: 3, own: false });
  if (backend === undefined) return;
  const folder = await mkdtemp(join(tmpdir(), 'waypost-indexers-'));
  const database = freshDatabase();
  const stores = await Promise.all([1, 2].map(() => openMongoStore({ url: backend.url, database })));
  const [store] = stores as [MongoStore];
  const blobs = await openFileBlobs(folder);
  const parsePool = new ParsePool();
  const log = createLogger({ level: 'silent', service: 'test' });
  const indexers = stores.map(
    ({ mailboxes }) =>
      new Indexer({
        mailboxes,
        blobs,
        parsePool,
        budget: new ByteBudget(64 * 1024 * 1024),
        // Both look all the time, so that they meet.
        sweepIntervalMs: 1,
        clock: systemClock,
        log,
        metrics: mailboxMetrics(new Registry()),
      }),
  );
  t.after(async () => {
    for (const indexer of indexers) await indexer.stop();
    await parsePool.close();
    for (const opened of stores) await opened.close();
    await rm(folder, { recursive: true });
  });
  const courier = new Courier({
    ...store,
    features: { search: true },
    addAccount: async (id) => {
      await store.database.accounts.insertOne({ _id: id });
    },
    removeAccountFromDirectory: () => Promise.resolve(),
  });
  const accountId = await courier.account();
  const deliveries = await courier.claimed(Array.from({ length: many }, () => ({ accountId })));
  const answers = await store.mailboxes.deliver(deliveries, Date.now());

  const begun = performance.now();
  for (const indexer of indexers) indexer.start();
  for (const [n, answer] of answers.entries()) {
    assert.equal(answer.answer, 'delivered');
    const tokens = (deliveries[n]?.messageId ?? '').split('-');
    const search = { from: [], to: [], subject: tokens, text: tokens };
    // A third waits in the queue of the one, a third of the other, a third of none: their process was killed.
    indexers[n % 3]?.add({ accountId, id: answer.id, search });
  }
  await until('nothing waits for the search', completeWithinMs, async () => {
    return (await store.mailboxes.unindexed(1)).length === 0;
  });
  assert.ok(performance.now() - begun < completeWithinMs);
  for (const indexer of indexers) await indexer.stop();

  assert.equal(await store.database.messageSearch.countDocuments({ accountId }), many);
  for (const [n, { messageId }] of deliveries.entries()) {
    const answer = answers[n];
    assert.equal(answer?.answer, 'delivered');
    const found = await store.mailboxes.list(accountId, { subject: [messageId.split('-')] }, { limit: 10 });
    assert.deepEqual(
      found.messages.map(({ id }) => id),
      [answer.id],
    );
  }
});
