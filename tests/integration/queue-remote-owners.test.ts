import assert from 'node:assert/strict';
import test from 'node:test';
import { until } from '../support/until.ts';
import { delivered, openRemote, ordinary } from './queue-remote-fixture.ts';

const waitMs = 20_000;

test('a batch whose worker has died goes out again when its lease ends, and its place in the group is free', async (t) => {
  const limits = [{ pattern: 'once.test', connections: 1 }];
  const mail = await openRemote(t, { zones: ordinary('once.test'), config: { limits, deliveryLeaseMs: 800 } });
  await mail.startQueue();
  const messageId = await mail.send(['a@once.test']);
  const lost = await mail.pullRemote();
  assert.equal(lost?.rows[0]?.messageId, messageId);
  const again = await mail.pullRemote(waitMs);
  assert.equal(again?.rows[0]?.messageId, messageId);
  assert.notEqual(again.claim.token, lost.claim.token);
  await mail.settle(again, delivered);
});

test('a batch that its worker keeps leased counts in its group, however long it takes', async (t) => {
  const limits = [{ pattern: 'slow.test', connections: 1 }];
  const mail = await openRemote(t, { zones: ordinary('slow.test'), config: { limits, deliveryLeaseMs: 600 } });
  await mail.startQueue();
  await mail.send(['a@slow.test']);
  const slow = await mail.pullRemote();
  assert.ok(slow);
  await mail.send(['b@slow.test']);
  const { owner, token } = slow.claim;
  const [row] = slow.rows;
  assert.ok(row);
  const pulling = mail.pullRemote(2_500);
  for (let renewals = 0; renewals < 10; renewals++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    await mail.deliveries.renew({ claim: { owner, token, epoch: row.epoch }, ids: [row.id], leaseMs: 600 });
  }
  await mail.settle(slow, delivered);
  assert.notEqual((await pulling)?.rows[0]?.messageId, row.messageId);
});

test('the permits that the batches of another owner hold count for who takes over its partitions', async (t) => {
  const limits = [{ pattern: 'taken.test', connections: 2, perConnection: 1 }];
  const mail = await openRemote(t, { zones: ordinary('taken.test'), config: { limits, deliveryLeaseMs: 60_000 } });
  const first = await mail.startQueue();
  for (let n = 0; n < 4; n++) await mail.send([`a${n}@taken.test`]);
  const batch = await mail.pullRemote();
  assert.ok(batch);
  const held = await mail.groups.acquire({
    group: 'taken.test',
    holder: 'worker',
    want: 2,
    leaseMs: 60_000,
    limits: batch.way?.hosts[0]?.limits ?? assert.fail(),
    now: mail.clock.nowMs(),
  });
  assert.equal(held.permits.length, 2);
  await first.stop();
  const second = await openSecond();
  assert.ok(await mail.pullRemote(waitMs), 'one is always left to each owner');
  assert.equal(await mail.pullRemote(1_500), undefined, 'the others are in use');
  await mail.groups.release(held.permits);
  assert.ok(await mail.pullRemote(waitMs));
  await second.stop();

  async function openSecond() {
    mail.forgetOwner();
    const { createQueue } = await import('../../services/queue/main.ts');
    const { Registry } = await import('prom-client');
    const queue = await mail.startService(createQueue({ ...mail.queueDeps(), metrics: new Registry() }));
    await until('it has the partitions', waitMs, async () =>
      (await mail.partitions.list()).every(({ remainingMs }) => remainingMs > 0),
    );
    return queue;
  }
});
