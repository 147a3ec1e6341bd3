import assert from 'node:assert/strict';
import test from 'node:test';
import { StoreUnavailable } from '../../libs/store/errors.ts';
import { silence } from '../support/smtp-sink/sink.ts';
import { until } from '../support/until.ts';
import { sinkFor, statesAre, waitMs } from './delivery-remote-cases.ts';
import { hostOf, openRemoteSystem } from './remote-fixture.ts';

const away = (): Promise<never> => Promise.reject(new StoreUnavailable('away'));

test('a lease that can’t be renewed: the connection is cut at two thirds of it, and nothing is recorded', async (t) => {
  const sink = await sinkFor(t, { final: silence });
  const recorded: string[] = [];
  const leaseMs = 1_500;
  const mail = await openRemoteSystem(t, {
    leaseMs,
    wrap: (deps) => ({
      ...deps,
      deliveries: {
        ...deps.deliveries,
        renew: away,
        record: (outcomes) => {
          recorded.push(...outcomes.map(({ result }) => result.kind));
          return deps.deliveries.record(outcomes);
        },
      },
    }),
  });
  mail.way('far.test', [hostOf(sink)]);
  const id = await mail.send(['b@far.test']);
  const { metrics } = await mail.startDelivery();
  await until('all was sent', waitMs, () => sink.messages.length === 1);
  const sentMs = performance.now();
  await until('cut', waitMs, () => sink.openConnections === 0);
  const tookMs = performance.now() - sentMs;
  assert.ok(tookMs > leaseMs / 3 && tookMs < leaseMs, `${tookMs} ms`);
  assert.deepEqual(await mail.states(id), ['leased']);
  await until(
    'counted',
    waitMs,
    async () => (await mail.countOf(metrics, 'waypost_delivery_attempts_total', { result: 'lost' })) === 1,
  );
  assert.deepEqual(recorded, []);
  assert.ok((await mail.countOf(metrics, 'waypost_delivery_renewals_failed_total')) > 0);
});

test('a renewed lease keeps a slow transaction alive, past the time of several', async (t) => {
  const leaseMs = 600;
  const sink = await sinkFor(t, { final: { reply: '250 2.0.0 at last', delayMs: leaseMs * 4 } });
  const mail = await openRemoteSystem(t, { leaseMs });
  mail.way('far.test', [hostOf(sink)]);
  const id = await mail.send(['b@far.test']);
  await mail.startDelivery();
  await statesAre(mail, id, 'delivered');
  assert.equal(sink.messages.length, 1);
});

test('a proven 250 counts though the lease has ended meanwhile', async (t) => {
  const sink = await sinkFor(t);
  const leaseMs = 600;
  let isAway = true;
  const mail = await openRemoteSystem(t, {
    leaseMs,
    wrap: (deps) => ({
      ...deps,
      deliveries: {
        ...deps.deliveries,
        renew: away,
        record: (outcomes) => (isAway ? away() : deps.deliveries.record(outcomes)),
      },
    }),
  });
  mail.way('far.test', [hostOf(sink)]);
  const id = await mail.send(['b@far.test']);
  await mail.startDelivery();
  await until('taken', waitMs, () => sink.delivered === 1);
  mail.way('far.test', []);
  await until('the lease has ended', waitMs, async () => {
    const query = { partitions: Array.from({ length: 256 }, (_, n) => n), now: mail.clock.nowMs(), limit: 10 };
    return (await mail.deliveries.expireLeases(query)).length === 1;
  });
  isAway = false;
  await statesAre(mail, id, 'delivered');
});

test('a store that is away for a while gets the outcomes when it is back, and no message goes twice', async (t) => {
  const sink = await sinkFor(t, {
    rcpt: ({ recipient }) => (recipient.startsWith('no') ? '550 5.1.1 nobody' : undefined),
  });
  let isAway = false;
  const mail = await openRemoteSystem(t, {
    wrap: (deps) => ({
      ...deps,
      deliveries: {
        ...deps.deliveries,
        record: (outcomes) => (isAway ? away() : deps.deliveries.record(outcomes)),
      },
    }),
  });
  mail.way('far.test', [hostOf(sink)]);
  isAway = true;
  const ids = [await mail.send(['yes@far.test']), await mail.send(['no@far.test']), await mail.send(['too@far.test'])];
  const { metrics } = await mail.startDelivery({ batches: 1 });
  await until('one waits', waitMs, async () => (await mail.countOf(metrics, 'waypost_delivery_outcomes_waiting')) > 0);
  await until('taken', waitMs, () => sink.delivered > 0);
  isAway = false;
  for (const [at, id] of ids.entries()) await statesAre(mail, id, at === 1 ? 'failed' : 'delivered');
  assert.equal(sink.delivered, 2);
});

test('told to end, it finishes the transaction under way, hands back at once what isn’t begun, and gives back its permits', async (t) => {
  const letGo = Promise.withResolvers<void>();
  const sink = await sinkFor(t, { readAfter: letGo.promise });
  const mail = await openRemoteSystem(t);
  mail.way('far.test', [hostOf(sink)]);
  const ids = [];
  for (let n = 0; n < 10; n++) ids.push(await mail.send([`u${n}@far.test`], { text: `Subject: x\r\n\r\n${n}\r\n` }));
  const { stop, service } = await mail.startDelivery({ batches: 1 });
  await until('one is under way', waitMs, () => sink.transactions === 1);
  mail.way('far.test', []);
  const stopped = stop(10_000);
  await until('the others are handed back', waitMs, async () => (await mail.deliveries.counts()).byState.queued === 9);
  assert.equal(service.readiness().ready, false);
  assert.deepEqual(await mail.states(ids[0] ?? ''), ['leased']);
  letGo.resolve();
  await stopped;
  assert.deepEqual(await mail.states(ids[0] ?? ''), ['delivered']);
  assert.equal(sink.messages.length, 1);
  assert.equal(sink.openConnections, 0);
  assert.equal((await mail.groups.groups(['sink.test'])).get('sink.test')?.inUse, 0);
  const rows = await Promise.all(ids.map(async (id) => (await mail.deliveries.ofMessage(id))[0]?.attempts));
  assert.deepEqual(rows, [1, ...Array.from({ length: 9 }, () => 0)]);
});

test('what takes longer than the grace is cut: handed back when the server can’t have it, counted as unknown when it may', async (t) => {
  const [early, late] = [await sinkFor(t, { rcpt: silence }), await sinkFor(t, { final: silence })];
  const mail = await openRemoteSystem(t);
  mail.way('early.test', [hostOf(early)]);
  mail.way('late.test', [hostOf(late)]);
  const [first, second] = [await mail.send(['b@early.test']), await mail.send(['b@late.test'])];
  const { stop, metrics } = await mail.startDelivery();
  await until('both are under way', waitMs, () => early.transactions === 1 && late.messages.length === 1);
  mail.way('early.test', []);
  mail.way('late.test', []);
  await stop(200);
  assert.deepEqual(await mail.states(first), ['queued']);
  assert.deepEqual(await mail.states(second), ['deferred']);
  assert.equal((await mail.deliveries.ofMessage(second))[0]?.lastReplyClass, 'unknown');
  assert.equal(await mail.countOf(metrics, 'waypost_delivery_unknown_total'), 1);
});

test('without a permit nothing is attempted: the batch is handed back, and goes when there is one', async (t) => {
  const sink = await sinkFor(t);
  const mail = await openRemoteSystem(t);
  const limits = { connections: 1, perConnection: 100, perSecond: 0 };
  mail.way('far.test', [hostOf(sink, { limits })]);
  const request = { group: 'sink.test', holder: 'other', want: 1, leaseMs: 60_000, limits, now: mail.clock.nowMs() };
  const { permits } = await mail.groups.acquire(request);
  const id = await mail.send(['b@far.test']);
  const { metrics } = await mail.startDelivery({ batches: 1 });
  await until('handed back', waitMs, async () => (await mail.countOf(metrics, 'waypost_delivery_returned_total')) > 0);
  assert.equal(sink.connections.length, 0);
  await mail.groups.release(permits);
  await until('delivered', waitMs, async () => {
    mail.ready();
    return (await mail.states(id)).join() === 'delivered';
  });
  assert.equal((await mail.deliveries.ofMessage(id))[0]?.attempts, 1);
});

test('a permit that is lost cuts its connection', async (t) => {
  const sink = await sinkFor(t, { final: silence });
  const mail = await openRemoteSystem(t, {
    leaseMs: 900,
    wrap: (deps) => ({ ...deps, groups: { ...deps.groups, renew: async () => [] } }),
  });
  mail.way('far.test', [hostOf(sink)]);
  await mail.send(['b@far.test']);
  const { metrics } = await mail.startDelivery();
  await until('sent', waitMs, () => sink.messages.length === 1);
  mail.way('far.test', []);
  await until('cut', waitMs, () => sink.openConnections === 0);
  assert.equal(await mail.countOf(metrics, 'waypost_delivery_permits_lost_total'), 1);
});

test('ready without the bus, degraded; red when the store does not commit', async (t) => {
  let commits = true;
  const mail = await openRemoteSystem(t, {
    wrap: (deps) => ({
      ...deps,
      bus: { ...bound(deps.bus), status: () => 'down' },
      spool: { ...deps.spool, probe: async () => commits },
    }),
  });
  const { service } = await mail.startDelivery();
  assert.deepEqual(service.readiness(), { ready: true, degraded: ['nats'] });
  commits = false;
  await until('red', waitMs, () => !service.readiness().ready);
});

function bound(bus: Awaited<ReturnType<typeof openRemoteSystem>>['bus']) {
  return {
    publish: bus.publish.bind(bus),
    subscribe: bus.subscribe.bind(bus),
    request: bus.request.bind(bus),
    respond: bus.respond.bind(bus),
    wake: bus.wake.bind(bus),
    onWake: bus.onWake.bind(bus),
    close: bus.close.bind(bus),
  };
}
