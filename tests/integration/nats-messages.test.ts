import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { eventsStream, eventSubject, requestSubject, wakeSubject } from '../../libs/bus/nats/subjects.ts';
import { BusUnavailable, RequestFailed } from '../../libs/bus/port.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { currentTraceparent, inTrace } from '../../libs/runtime/trace-context.ts';
import { until } from '../../tools/servers/until.ts';
import { natsForFile } from '../backends/require.ts';
import { natsBus, seen } from './nats-fixture.ts';

const nats = await natsForFile({ own: true });
const url = nats.backend?.url ?? '';
const ask = { token: 't', remoteAddress: '192.0.2.1', via: 'http' } as const;
const accountId = newId();
const untilSeen = <T>(items: readonly T[], item: T): Promise<unknown> =>
  until(`${String(item)} is seen`, 10_000, async () => (items.includes(item) ? true : undefined));

describe('messages over NATS', { skip: nats.skip }, () => {
  test('foreign payloads on our subjects are counted and set aside, without their values', async (t) => {
    const { bus, metric, log } = await natsBus(t, { url });
    const stranger = await connect({ servers: url });
    t.after(() => stranger.close());
    const [events, wakes] = [seen<string>(), seen<number>()];
    bus.subscribe(['mailbox.changed'], (event) => events.add(event.data.state));
    bus.onWake('queue.rows', ({ partitions }) => wakes.add(partitions[0] ?? -1));
    bus.respond('auth.token', async () => ({ ok: false, reason: 'invalid' }));
    await bus.request('auth.token', ask, { timeoutMs: 5000 });
    const frame = { specversion: '1.0', id: '1', source: '/x', time: '2026-01-02T03:04:05Z' };
    const strange = [
      'no JSON geheim',
      '{}',
      'null',
      JSON.stringify({ ...frame, type: 'waypost.mail.accepted', datacontenttype: 'application/json', data: {} }),
      JSON.stringify({
        ...frame,
        type: 'waypost.mailbox.changed',
        datacontenttype: 'application/json',
        data: 'geheim',
      }),
    ];
    for (const payload of strange) stranger.publish(eventSubject('mailbox.changed'), payload);
    for (const payload of ['geheim', '{"partitions":[256]}']) stranger.publish(wakeSubject('queue.rows'), payload);
    const subject = requestSubject('auth.token');
    for (const payload of ['geheim', '{}']) stranger.publish(subject, payload);
    const replies = [
      await stranger.request(subject, '{}', { timeout: 5000 }),
      await stranger.request(subject, 'geheim', { timeout: 5000, headers: withId() }),
    ];
    for (const reply of replies) assert.match(reply.string(), /"code":"badRequest"/);
    bus.publish('mailbox.changed', { accountId, state: 'ours' });
    bus.wake('queue.rows', { partitions: [1] });
    await untilSeen(events.items, 'ours');
    await untilSeen(wakes.items, 1);
    assert.deepEqual([events.items, wakes.items], [['ours'], [1]]);
    assert.equal(await metric('waypost_bus_invalid_total', '{name="mailbox.changed"}'), strange.length);
    assert.equal(await metric('waypost_bus_invalid_total', '{name="queue.rows"}'), 2);
    assert.equal(await metric('waypost_bus_invalid_total', '{name="auth.token"}'), 4);
    assert.doesNotMatch(log(), /geheim/);
  });

  test('an answer that is no reply of ours fails as badReply and is counted', async (t) => {
    const { bus, metric } = await natsBus(t, { url });
    const stranger = await connect({ servers: url });
    t.after(() => stranger.close());
    stranger.subscribe(requestSubject('auth.token'), { callback: (_error, msg) => void msg.respond('hello') });
    await stranger.flush();
    await assert.rejects(bus.request('auth.token', ask, { timeoutMs: 5000 }), failedWith('badReply'));
    assert.equal(await metric('waypost_bus_invalid_total', '{name="auth.token"}'), 1);
  });

  test('a durable reader sets a foreign payload aside once, and goes on where it was after a restart', async (t) => {
    const first = await natsBus(t, { url });
    const stranger = await connect({ servers: url });
    t.after(() => stranger.close());
    const before = seen<string>();
    first.bus.subscribe(['mailbox.changed'], (event) => before.add(event.data.state), { durable: 'restarted' });
    first.bus.publish('mailbox.changed', { accountId, state: '0' });
    await untilSeen(before.items, '0');
    stranger.publish(eventSubject('mailbox.changed'), 'poison');
    await until('it is counted', 5000, async () =>
      (await first.metric('waypost_bus_invalid_total', '{name="mailbox.changed"}')) === 1 ? true : undefined,
    );
    await first.bus.close();
    const second = await natsBus(t, { url });
    for (const state of ['1', '2']) second.bus.publish('mailbox.changed', { accountId, state });
    const after = seen<string>();
    second.bus.subscribe(['mailbox.changed'], (event) => after.add(event.data.state), { durable: 'restarted' });
    await untilSeen(after.items, '2');
    assert.deepEqual([before.items, after.items], [['0'], ['1', '2']]);
    assert.equal(await second.metric('waypost_bus_invalid_total', '{name="mailbox.changed"}'), 0);
    const { num_ack_pending, num_pending } = await consumerInfo(stranger, 'restarted');
    assert.deepEqual([num_ack_pending, num_pending], [0, 0]);
  });

  test('what a closing durable reader had fetched goes to another at once, what its handler began ends first', async (t) => {
    const leaving = await natsBus(t, { url });
    const release = Promise.withResolvers<void>();
    const [begun, rest] = [seen<string>(), seen<string>()];
    const subscription = leaving.bus.subscribe(
      ['mailbox.changed'],
      async (event) => {
        begun.add(event.data.state);
        await release.promise;
      },
      { durable: 'left' },
    );
    for (let n = 0; n < 5; n++) leaving.bus.publish('mailbox.changed', { accountId, state: String(n) });
    await untilSeen(begun.items, '0');
    const closed = subscription.close();
    const staying = await natsBus(t, { url });
    staying.bus.subscribe(['mailbox.changed'], (event) => rest.add(event.data.state), { durable: 'left' });
    release.resolve();
    await closed;
    await untilSeen(rest.items, '4');
    assert.deepEqual(begun.items, ['0']);
    assert.deepEqual(rest.items.toSorted(), ['1', '2', '3', '4']);
  });

  test('two processes share a durable name and the requests, and both see what is not durable', async (t) => {
    const buses = [await natsBus(t, { url }), await natsBus(t, { url })];
    const shared = seen<string>();
    const each = buses.map(() => seen<string>());
    const answered = new Set<number>();
    for (const [n, { bus }] of buses.entries()) {
      bus.subscribe(['mailbox.changed'], (event) => shared.add(event.data.state), { durable: 'shared' });
      bus.subscribe(['mailbox.changed'], (event) => each[n]?.add(event.data.state));
      bus.respond('auth.token', async () => {
        answered.add(n);
        return { ok: false, reason: 'invalid' };
      });
    }
    const [one] = buses;
    assert.ok(one);
    // Of the other process too, the server knows the subscriptions when it has answered it.
    await Promise.all(buses.map(({ bus }) => bus.request('auth.token', ask, { timeoutMs: 5000 })));
    for (let n = 0; n < 50; n++) one.bus.publish('mailbox.changed', { accountId, state: String(n) });
    await until('all are shared', 10_000, async () => (shared.items.length >= 50 ? true : undefined));
    for (const one of each)
      await until('each sees all', 5000, async () => (one.items.length === 50 ? true : undefined));
    assert.equal(new Set(shared.items).size, 50);
    await Promise.all(Array.from({ length: 50 }, () => one.bus.request('auth.token', ask, { timeoutMs: 5000 })));
    assert.deepEqual(answered, new Set([0, 1]));
  });

  test('a trace goes through requests, wake-ups and events', async (t) => {
    const { bus } = await natsBus(t, { url });
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const traces = seen<string>();
    const note = (kind: string): void => traces.add(`${kind} ${currentTraceparent()?.split('-')[1]}`);
    bus.subscribe(['mailbox.changed'], (event) => {
      note('event');
      assert.equal(event.traceparent?.split('-')[1], traceId);
    });
    bus.onWake('queue.rows', () => note('wake'));
    bus.respond('auth.token', async () => {
      note('request');
      bus.publish('mailbox.changed', { accountId, state: '1' });
      return { ok: false, reason: 'invalid' };
    });
    await inTrace(`00-${traceId}-b7ad6b7169203331-01`, async () => {
      bus.wake('queue.rows', { partitions: [1] });
      await bus.request('auth.token', ask, { timeoutMs: 5000 });
    });
    for (const kind of ['request', 'wake', 'event']) await untilSeen(traces.items, `${kind} ${traceId}`);
  });

  test('a reply larger than the server takes fails with a clear error', async (t) => {
    const { bus } = await natsBus(t, { url });
    const address = 'x'.repeat(2_000_000);
    bus.respond('directory.resolve', async () => ({ results: [{ kind: 'remote', domain: address }] }));
    await assert.rejects(
      bus.request('directory.resolve', { addresses: ['a@x'] }, { timeoutMs: 5000 }),
      (error) => failedWith('replyTooLarge')(error) && /max_payload/.test(String(error)),
    );
  });

  test('an asker in another process that gives up or closes is told to the handler', async (t) => {
    const [asking, answering] = [await natsBus(t, { url }), await natsBus(t, { url })];
    const told = seen<string>();
    const begun = seen<string>();
    answering.bus.respond('auth.token', ({ token }, signal) => {
      begun.add(token);
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          told.add(token);
          resolve({ ok: false, reason: 'invalid' });
        });
      });
    });
    const controller = new AbortController();
    const { signal } = controller;
    const first = assert.rejects(
      asking.bus.request('auth.token', { ...ask, token: '1' }, { timeoutMs: 60_000, signal }),
    );
    const second = assert.rejects(
      asking.bus.request('auth.token', { ...ask, token: '2' }, { timeoutMs: 60_000 }),
      BusUnavailable,
    );
    await untilSeen(begun.items, '1');
    await untilSeen(begun.items, '2');
    controller.abort();
    await first;
    await untilSeen(told.items, '1');
    assert.deepEqual(told.items, ['1']);
    await asking.bus.close();
    await second;
    await untilSeen(told.items, '2');
  });

  test('a bus that closes tells its handlers, waits for them, and sends their replies', async (t) => {
    const [asking, answering] = [await natsBus(t, { url }), await natsBus(t, { url })];
    const begun = Promise.withResolvers<void>();
    answering.bus.respond('auth.token', async (_body, signal) => {
      begun.resolve();
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      return { ok: false, reason: 'limited' };
    });
    const asked = asking.bus.request('auth.token', ask, { timeoutMs: 60_000 });
    await begun.promise;
    await answering.bus.close();
    assert.deepEqual(await asked, { ok: false, reason: 'limited' });
    await assert.rejects(asking.bus.request('auth.token', ask, { timeoutMs: 60_000 }), BusUnavailable);
  });
});

function withId() {
  const all = headers();
  all.set('Waypost-Request-Id', newId());
  return all;
}

async function consumerInfo(nc: NatsConnection, name: string) {
  return (await jetstreamManager(nc)).consumers.info(eventsStream, name);
}

function failedWith(code: string): (error: unknown) => boolean {
  return (error) => error instanceof RequestFailed && error.code === code;
}
