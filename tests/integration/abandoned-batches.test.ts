import assert from 'node:assert/strict';
import test from 'node:test';
import { createMailbox } from '../../services/mailbox/main.ts';
import { createQueue } from '../../services/queue/main.ts';
import { until } from '../support/until.ts';
import { type MailSystem, openMailSystem } from './mail-system.ts';

const waitMs = 10_000;
const hour = 3_600_000;

/** What no sweep brings back, and no lease that ends within the test. */
const patient = (mail: MailSystem) => ({ ...mail.config, sweepIntervalMs: hour, partitionLeaseMs: 60_000 });

test('a batch of a worker that renewed its lease and then died comes again when the lease ends, without a sweep', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const config = { ...mail.config, sweepIntervalMs: hour };
  await mail.startService(createQueue({ ...mail.queueDeps(), config }));
  const messageId = await mail.accept([alice]);
  const { claim, rows, leaseMs } = await mail.pull();
  const [row] = rows;
  assert.ok(row !== undefined);
  const renewal = { claim: { ...claim, epoch: row.epoch }, ids: [row.id], leaseMs };
  const renewUntilMs = mail.clock.monotonicMs() + 2 * leaseMs;
  await until('it was renewed for two leases', waitMs, async () => {
    assert.deepEqual(await mail.deliveries.renew(renewal), [row.id]);
    return mail.clock.monotonicMs() > renewUntilMs;
  });
  await mail.startMailbox();
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
});

test('a batch that was claimed for a worker that asks no more is handed back at once', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const { promise: claimed, resolve: letClaim } = Promise.withResolvers<void>();
  const claiming = Promise.withResolvers<void>();
  const deliveries = {
    ...mail.deliveries,
    claim: async (request: Parameters<typeof mail.deliveries.claim>[0]) => {
      claiming.resolve();
      await claimed;
      return mail.deliveries.claim(request);
    },
  };
  await mail.startService(createQueue({ ...mail.queueDeps(), config: patient(mail), deliveries }));
  const messageId = await mail.accept([alice]);
  const gone = new AbortController();
  const ready = Promise.withResolvers<string>();
  mail.bus.onWake('queue.ready', ({ owner }) => ready.resolve(owner));
  const request = { kind: 'local', worker: 'gone', capacity: 10, waitMs: 0 } as const;
  const options = { to: await ready.promise, timeoutMs: 10_000, signal: gone.signal };
  const asked = assert.rejects(mail.bus.request('queue.pull', request, options));
  await claiming.promise;
  gone.abort(new Error('gone'));
  await asked;
  letClaim();
  await mail.startMailbox();
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
  assert.equal(
    (await mail.deliveries.ofMessage(messageId))[0]?.attempts,
    1,
    'the claim that came to nothing isn’t counted',
  );
});

test('a worker that has to stop before its batch is done hands it back, and another delivers it at once', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const reading = Promise.withResolvers<void>();
  const blobs = {
    ...mail.blobs,
    async *read(): AsyncGenerator<Uint8Array> {
      reading.resolve();
      await new Promise(() => {});
      yield Buffer.alloc(0);
    },
  };
  await mail.startService(createQueue({ ...mail.queueDeps(), config: patient(mail) }));
  const stuck = createMailbox({ ...mail.queueDeps(), blobs, parsePool: mail.parsePool });
  await stuck.start();
  const messageId = await mail.accept([alice], { raw: `Subject: large\r\n\r\n${'x'.repeat(400_000)}\r\n` });
  await reading.promise;
  assert.deepEqual(await mail.states(messageId), ['leased']);
  await stuck.stop(50);
  assert.deepEqual(await mail.states(messageId), ['queued']);
  await mail.startMailbox();
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
  assert.equal((await mail.inbox(alice)).length, 1);
});
