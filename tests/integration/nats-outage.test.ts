import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusTimeout, BusUnavailable } from '../../libs/bus/port.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { freePorts } from '../../tools/servers/server-process.ts';
import { until } from '../../tools/servers/until.ts';
import { requireNats } from '../backends/require.ts';
import { natsBus, seen } from './nats-fixture.ts';
import type { BusUnderTest } from './nats-fixture.ts';

const ask = { token: 't', remoteAddress: '192.0.2.1', via: 'http' } as const;
const accountId = newId();

test('killed and its data deleted, the server comes back to the same subscriptions, answers and durable readers', async (t) => {
  const nats = await requireNats(t, { process: true });
  if (nats === undefined) return;
  const { url, control } = nats;
  assert.ok(control);
  const one = await natsBus(t, { url });
  const other = await natsBus(t, { url });
  const [plain, durable, woken] = [seen<string>(), seen<string>(), seen<number>()];
  one.bus.subscribe(['mailbox.changed'], (event) => plain.add(event.data.state));
  one.bus.subscribe(['mailbox.changed'], (event) => durable.add(event.data.state), { durable: 'index' });
  one.bus.onWake('queue.rows', ({ partitions }) => woken.add(partitions[0] ?? -1));
  one.bus.respond('auth.token', async () => ({ ok: false, reason: 'invalid' }));
  await until('the durable reader stands', 5000, async () => {
    one.bus.publish('mailbox.changed', { accountId, state: 'first' });
    return durable.items.includes('first') ? true : undefined;
  });

  await control.kill();
  await until('both know', 5000, async () => (bothAre('down', one, other) ? true : undefined));
  await assert.rejects(other.bus.request('auth.token', ask, { timeoutMs: 60_000 }), BusUnavailable);
  other.bus.publish('mailbox.changed', { accountId, state: 'while away' });
  other.bus.wake('queue.rows', { partitions: [7] });
  await control.wipe();
  await control.start();
  const back = performance.now();

  await until('a request is answered', 5000, async () => other.bus.request('auth.token', ask, { timeoutMs: 1000 }));
  await until('a wake-up of the outage arrives', 5000, async () => (woken.items.includes(7) ? true : undefined));
  await until('and its event', 5000, async () => (plain.items.includes('while away') ? true : undefined));
  await until('at the durable reader too', 5000, async () => (durable.items.includes('while away') ? true : undefined));
  assert.ok(performance.now() - back < 5000, 'work goes on within 5 s');
  assert.equal(await one.metric('waypost_bus_connected'), 1);
  assert.equal(await one.metric('waypost_bus_reconnects_total'), 1);
  assert.equal(await one.metric('waypost_bus_stream_ready'), 1);
});

test('a request under way fails at once when the connection is lost, and who works on it is told to stop', async (t) => {
  const nats = await requireNats(t, { process: true });
  if (nats === undefined) return;
  const { bus } = await natsBus(t, { url: nats.url, drainMs: 100 });
  const begun = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  bus.respond('auth.token', (_, signal) => {
    begun.resolve();
    signal.addEventListener('abort', () => told.resolve());
    return new Promise(() => {});
  });
  const asked = assert.rejects(bus.request('auth.token', ask, { timeoutMs: 60_000 }), BusUnavailable);
  await begun.promise;
  await nats.control?.kill();
  await asked;
  await told.promise;
});

test('a frozen server is noticed within 10 s, and used again when it goes on', async (t) => {
  const nats = await requireNats(t, { process: true });
  if (nats === undefined) return;
  const { control } = nats;
  assert.ok(control);
  const asked = await natsBus(t, { url: nats.url });
  asked.bus.respond('auth.token', async () => ({ ok: false, reason: 'invalid' }));
  await asked.bus.request('auth.token', ask, { timeoutMs: 5000 });
  await control.pause();
  await assert.rejects(asked.bus.request('auth.token', ask, { timeoutMs: 300 }), BusTimeout);
  await until('it is noticed', 10_000, async () => (asked.bus.status() === 'down' ? true : undefined));
  await control.resume();
  await until('it is used again', 5000, async () => asked.bus.request('auth.token', ask, { timeoutMs: 1000 }));
});

test('a process starts without the server, and uses it when it comes', async (t) => {
  const nats = await requireNats(t, { process: true });
  if (nats === undefined) return;
  const { control } = nats;
  assert.ok(control);
  await control.kill();
  const begun = performance.now();
  const early = await natsBus(t, { url: nats.url, startWaitMs: 300 });
  assert.ok(performance.now() - begun < 2000);
  assert.equal(early.bus.status(), 'down');
  assert.equal(await early.metric('waypost_bus_connected'), 0);
  assert.match(early.log(), /can't be reached: nothing listens there \(ECONNREFUSED\)/);
  await assert.rejects(early.bus.request('auth.token', ask, { timeoutMs: 60_000 }), BusUnavailable);
  const durable = seen<string>();
  early.bus.subscribe(['mailbox.changed'], (event) => durable.add(event.data.state), { durable: 'index' });
  early.bus.publish('mailbox.changed', { accountId, state: 'early' });
  await control.start();
  await until('it is up', 5000, async () => (early.bus.status() === 'up' ? true : undefined));
  await until('what was published early arrives', 5000, async () =>
    durable.items.includes('early') ? true : undefined,
  );
});

test('a name that does not resolve is told as such, and stops no start', async (t) => {
  const { bus, log } = await natsBus(t, { url: 'nats://user:geheim@nats.invalid:4222', startWaitMs: 100 });
  assert.equal(bus.status(), 'down');
  assert.match(log(), /NATS at nats\.invalid:4222 can't be reached: the name does not resolve/);
  assert.doesNotMatch(log(), /geheim/);
});

test('of what waits for an absent server the oldest goes past the cap, and a wake-up waits once', async (t) => {
  const [port = 0] = await freePorts(1);
  const { bus, metric } = await natsBus(t, { url: `nats://127.0.0.1:${port}`, startWaitMs: 0, queueCap: 100 });
  for (let n = 0; n < 1000; n++) bus.publish('mailbox.changed', { accountId, state: String(n) });
  assert.equal(await metric('waypost_bus_unsent'), 100);
  assert.equal(await metric('waypost_bus_dropped_total', '{kind="event"}'), 900);
  for (let n = 0; n < 1000; n++) bus.wake('queue.rows', { partitions: [n % 10] });
  assert.equal(await metric('waypost_bus_dropped_total', '{kind="event"}'), 910);
  assert.equal(await metric('waypost_bus_dropped_total', '{kind="wake"}'), 0);
});

function bothAre(status: 'up' | 'down', ...buses: BusUnderTest[]): boolean {
  return buses.every(({ bus }) => bus.status() === status);
}
