import assert from 'node:assert/strict';
import test from 'node:test';
import { Registry } from 'prom-client';
import { StoreUnavailable } from '../../libs/store/errors.ts';
import { queueMetrics } from '../../services/queue/metrics.ts';
import { Sweep } from '../../services/queue/sweep.ts';
import { allPartitions, dayMs, makeMessage } from '../contract/spool-messages.ts';
import { type MailSystem, openMailSystem } from './mail-system.ts';

const never = new AbortController().signal;

function sweepOf(
  mail: MailSystem,
  change: Partial<Pick<MailSystem, 'spool'>> = {},
): { sweep: Sweep; ended: () => number } {
  let ended = 0;
  const sweep = new Sweep({
    ...mail,
    ...change,
    metrics: queueMetrics(new Registry()),
    ownership: { owned: () => [...allPartitions], owns: () => true },
    traceKeepMs: mail.config.traceKeepMs,
    onRows: () => {},
    onFailures: () => {},
    onSwept: () => ended++,
  });
  return { sweep, ended: () => ended };
}

test('a message whose fan-out fails keeps neither the others nor the rest of the sweep from being done', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const messageId = await mail.accept([alice]);
  await mail.deliveries.expireRows({ partitions: [], now: 0, limit: 1 });
  mail.clock.skip(6 * dayMs);
  const fannedOut: string[] = [];
  const spool = {
    ...mail.spool,
    unrouted: async () => ['poisoned', 'good'].filter((id) => !fannedOut.includes(id)),
    fanOut: async (id: string) => {
      if (id === 'poisoned') throw new Error('its targets can’t be read');
      fannedOut.push(id);
      return true;
    },
  };
  const { sweep, ended } = sweepOf(mail, { spool });
  await sweep.run(never);
  assert.deepEqual(fannedOut, ['good']);
  assert.deepEqual(await mail.states(messageId), ['failed'], 'expired by the same sweep');
  assert.equal(ended(), 1);
});

test('who completes a fan-out wakes the owners of all partitions: the rows may be theirs', async (t) => {
  const mail = await openMailSystem(t);
  const woken = Promise.withResolvers<number>();
  mail.bus.onWake('queue.rows', ({ partitions }) => woken.resolve(partitions.length));
  let left = ['one'];
  const spool = {
    ...mail.spool,
    unrouted: async () => left,
    fanOut: async () => {
      left = [];
      return true;
    },
  };
  await sweepOf(mail, { spool }).sweep.fanOut(never);
  assert.equal(await woken.promise, allPartitions.length);
});

test('a store that is away ends the sweep: it isn’t asked for one message after the other', async (t) => {
  const mail = await openMailSystem(t);
  let asked = 0;
  const spool = {
    ...mail.spool,
    unrouted: async () => ['one', 'other'],
    fanOut: async () => {
      asked++;
      throw new StoreUnavailable('away');
    },
  };
  await assert.rejects(sweepOf(mail, { spool }).sweep.run(never), StoreUnavailable);
  assert.equal(asked, 1);
});

test('housekeeping removes all that is finished, however much has come since the last time', async (t) => {
  const mail = await openMailSystem(t);
  const messages = 12;
  for (let n = 0; n < messages; n++) {
    const to = Array.from({ length: 1000 }, () => ({ kind: 'remote' as const, expiresAt: 1 }));
    const message = makeMessage({ acceptedAt: mail.clock.nowMs(), to });
    await mail.spool.accept(message);
    const now = mail.clock.nowMs();
    await mail.deliveries.expireRows({ partitions: allPartitions, now, limit: 1000 });
    const started = await mail.deliveries.startReport({ messageId: message.messageId, now });
    await mail.deliveries.finishReport({ messageId: message.messageId, report: started?.report ?? 0, now });
  }
  assert.equal((await mail.deliveries.counts()).byState.bounced, messages * 1000);
  mail.clock.skip(8 * dayMs);
  await sweepOf(mail).sweep.housekeep(never);
  assert.deepEqual(await mail.deliveries.list({}, { limit: 1 }), []);
});

test('housekeeping looks at all bodies whose time has come, also when most of them are still needed', async (t) => {
  const mail = await openMailSystem(t);
  const open = Array.from({ length: 2_300 }, () => makeMessage({ acceptedAt: mail.clock.nowMs() }));
  await Promise.all(open.map((message) => mail.spool.accept(message)));
  const unused = makeMessage({ acceptedAt: mail.clock.nowMs() + 1000, to: [] });
  await mail.spool.accept(unused);
  // A look that finds it unused and marks it, and a day later the one that removes it.
  for (let day = 0; day < 2; day++) {
    mail.clock.skip(dayMs + 60_000);
    await sweepOf(mail).sweep.housekeep(never);
  }
  assert.equal((await mail.spool.read([unused.messageId])).size, 0);
  assert.equal((await mail.spool.read([open[0]?.messageId ?? ''])).size, 1);
});
