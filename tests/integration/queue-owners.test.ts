import assert from 'node:assert/strict';
import test from 'node:test';
import { Registry } from 'prom-client';
import { partitionCount } from '../../libs/delivery/row.ts';
import { createQueue } from '../../services/queue/main.ts';
import { until } from '../support/until.ts';
import { type MailSystem, openMailSystem } from './mail-system.ts';

const waitMs = 10_000;

async function ownersOf(mail: MailSystem): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { owner, remainingMs } of await mail.partitions.list()) {
    if (owner !== null && remainingMs > 0) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}

test('one owner takes all partitions, a second one gets half of them, and gives them back when it stops', async (t) => {
  const mail = await openMailSystem(t);
  await mail.startQueue();
  await until(
    'one owner has all',
    waitMs,
    async () => [...(await ownersOf(mail)).values()].join() === `${partitionCount}`,
  );
  const second = await mail.startQueue();
  await until('each has half', waitMs, async () => [...(await ownersOf(mail)).values()].join() === '128,128');
  await second.stop();
  assert.deepEqual([...(await ownersOf(mail)).values()], [128], 'given back at once');
  await until(
    'the first has all again',
    waitMs,
    async () => [...(await ownersOf(mail)).values()].join() === `${partitionCount}`,
  );
});

test('mail goes on being delivered, each message once, while owners come and go', async (t) => {
  const mail = await openMailSystem(t);
  const accounts = await Promise.all(Array.from({ length: 8 }, (_, n) => mail.addAccount(`user${n}`)));
  await mail.startMailbox();
  let sent = 0;
  const send = async (many: number): Promise<void> => {
    for (let n = 0; n < many; n++)
      await mail.accept([accounts[n % accounts.length] ?? ''], { raw: `Subject: ${sent++}\r\n\r\n.\r\n` });
  };
  const first = await mail.startQueue();
  await send(40);
  await mail.startQueue();
  await send(40);
  await first.stop();
  await send(40);
  await until('all delivered', waitMs, async () => (await mail.deliveries.counts()).byState.delivered === sent);
  const messages = (await Promise.all(accounts.map((account) => mail.inbox(account)))).flat();
  assert.equal(new Set(messages.map(({ subject }) => subject)).size, sent);
  assert.equal(messages.length, sent);
});

test('an owner that dies without a word is followed by another when its leases end, and what it had handed out comes again', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const leaseMs = mail.config.partitionLeaseMs;
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  const leases = await mail.partitions.acquire({ owner: 'dead', partitions, leaseMs });
  const messageId = await mail.accept([alice]);
  const claimed = await mail.deliveries.claim({
    owner: 'dead',
    leases,
    ids: [`${messageId}/0`],
    token: 'dead',
    leaseMs: 60_000,
    now: mail.clock.nowMs(),
  });
  assert.equal(claimed.length, 1);
  const metrics = new Registry();
  await mail.startService(createQueue({ ...mail.queueDeps(), metrics }));
  await mail.startMailbox();
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
  const shown = await metrics.metrics();
  assert.match(shown, new RegExp(`^waypost_queue_takeovers_total ${partitionCount}$`, 'm'));
  assert.match(shown, /^waypost_queue_expired_leases_total 1$/m);
  assert.match(shown, new RegExp(`^waypost_queue_partitions_held ${partitionCount}$`, 'm'));
});

test('rows due later are handed out when their time comes, without a sweep and without a wake-up', async (t) => {
  const mail = await openMailSystem(t);
  const slow = { ...mail.config, sweepIntervalMs: 3_600_000 };
  const alice = await mail.addAccount('alice');
  await mail.startService(createQueue({ ...mail.queueDeps(), config: slow }));
  await mail.startMailbox();
  const messageId = await mail.accept([alice], { delayMs: 3_600_000 });
  const now = await mail.accept([alice]);
  await until('the other is delivered', waitMs, async () => (await mail.states(now))[0] === 'delivered');
  assert.deepEqual(await mail.states(messageId), ['queued']);
  mail.clock.skip(3_600_000);
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
});

test('losing every wake-up delays mail by no more than a sweep', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const deaf = { ...mail.bus, publish: mail.bus.publish.bind(mail.bus), wake: () => {} };
  const messageId = await mail.accept([alice], { bus: deaf });
  await mail.startQueue();
  await mail.startMailbox();
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
  const later = await mail.accept([alice], { bus: deaf });
  await until('delivered too', waitMs, async () => (await mail.states(later))[0] === 'delivered');
});
