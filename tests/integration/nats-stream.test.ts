import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { jetstreamManager, RetentionPolicy } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { compareVersions } from '../../libs/bus/nats/dial.ts';
import { BusMisconfigured, ServerUnreachable } from '../../libs/bus/nats/errors.ts';
import { prepareStreams } from '../../libs/bus/nats/prepare.ts';
import { allEvents, eventsStream } from '../../libs/bus/nats/subjects.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { freePorts } from '../../tools/servers/server-process.ts';
import { until } from '../../tools/servers/until.ts';
import { requireNats } from '../backends/require.ts';
import { natsBus, seen } from './nats-fixture.ts';

const accountId = newId();
const folder = mkdtempSync(join(tmpdir(), 'waypost-nats-stream-'));
after(() => rmSync(folder, { recursive: true }));

test('a server without JetStream is refused with what to do', async (t) => {
  const nats = await requireNats(t, { jetstream: false });
  if (nats === undefined) return;
  await assert.rejects(natsBus(t, { url: nats.url }), misconfigured('noJetStream', /--jetstream/));
  await assert.rejects(
    prepareStreams({ url: nats.url, service: 'migrate' }),
    misconfigured('noJetStream', /--jetstream/),
  );
});

test('a server that is too old is refused with both versions', async (t) => {
  const nats = await requireNats(t);
  if (nats === undefined) return;
  const tooOld = misconfigured('tooOld', /nats-server 2\.\S+ is too old: Waypost needs 99\.1\.0 or newer/);
  await assert.rejects(natsBus(t, { url: nats.url, minimumVersion: '99.1.0' }), tooOld);
});

test('versions compare by their numbers', () => {
  assert.ok(compareVersions('2.9.25', '2.10.0') < 0);
  assert.ok(compareVersions('v2.15.0-beta.1', '2.10.3') > 0);
  assert.equal(compareVersions('2.10.0', '2.10'), 0);
});

test('a stream with other settings is refused, and `waypost migrate` mends what can be mended', async (t) => {
  const streams = await fresh(t);
  if (streams === undefined) return;
  const { url, jsm } = streams;
  await jsm.streams.add({ name: eventsStream, subjects: ['waypost.event.mail.>'], max_age: 1_000_000_000 });
  await assert.rejects(
    natsBus(t, { url }),
    misconfigured(
      'stream',
      /subjects is \["waypost\.event\.mail\.>"\], asked for \["waypost\.event\.>"\].*max_age is .*waypost migrate/,
    ),
  );
  await prepareStreams({ url, service: 'migrate' });
  assert.equal((await natsBus(t, { url, createStreams: false })).bus.status(), 'up');

  await jsm.streams.delete(eventsStream);
  await jsm.streams.add({ name: eventsStream, subjects: [allEvents], retention: RetentionPolicy.Workqueue });
  const refused = misconfigured('stream', /retention is "workqueue", asked for "limits"/);
  await assert.rejects(natsBus(t, { url }), refused);
  await assert.rejects(prepareStreams({ url, service: 'migrate' }), refused);
});

test('another stream on our subjects is told', async (t) => {
  const streams = await fresh(t);
  if (streams === undefined) return;
  await streams.jsm.streams.add({ name: 'OTHER', subjects: ['waypost.>'] });
  await assert.rejects(natsBus(t, { url: streams.url }), misconfigured('stream', /can't make the stream .*overlap/));
});

test('without the right to make it a missing stream stops nothing but durable readers, which begin when it is made', async (t) => {
  const streams = await fresh(t);
  if (streams === undefined) return;
  const { url, jsm } = streams;
  const { bus, metric, log } = await natsBus(t, { url, createStreams: false });
  assert.equal(bus.status(), 'up');
  assert.equal(await metric('waypost_bus_stream_ready'), 0);
  assert.match(log(), /the stream WAYPOST_EVENTS is not there: run `waypost migrate`/);
  const [plain, durable] = [seen<string>(), seen<string>()];
  bus.subscribe(['mailbox.changed'], (event) => plain.add(event.data.state));
  bus.subscribe(['mailbox.changed'], (event) => durable.add(event.data.state), { durable: 'late' });
  bus.publish('mailbox.changed', { accountId, state: '0' });
  await until('it arrives without the stream', 5000, async () => (plain.items.includes('0') ? true : undefined));
  await assert.rejects(jsm.streams.info(eventsStream), /stream not found/);
  await prepareStreams({ url, service: 'migrate' });
  await until('the durable reader reads', 10_000, async () => {
    bus.publish('mailbox.changed', { accountId, state: 'then' });
    return durable.items.includes('then') ? true : undefined;
  });
  await until('it is shown', 5000, async () => ((await metric('waypost_bus_stream_ready')) === 1 ? true : undefined));
});

test('a stream or a consumer that is deleted under a reader is made again', async (t) => {
  const streams = await fresh(t);
  if (streams === undefined) return;
  const { url, jsm } = streams;
  const { bus } = await natsBus(t, { url });
  const durable = seen<string>();
  bus.subscribe(['mailbox.changed'], (event) => durable.add(event.data.state), { durable: 'deleted' });
  const arrives = (state: string): Promise<unknown> =>
    until(`${state} arrives`, 10_000, async () => {
      bus.publish('mailbox.changed', { accountId, state });
      return durable.items.includes(state) ? true : undefined;
    });
  await arrives('first');
  await jsm.consumers.delete(eventsStream, 'deleted');
  await arrives('after the consumer');
  await jsm.streams.delete(eventsStream);
  await arrives('after the stream');
});

test('a user without a right to JetStream publishes and asks; durable readers say what is missing', async (t) => {
  const config = join(folder, 'users.conf');
  const own = ['_INBOX.waypost.test.>', 'waypost.>'];
  const may = `{ publish: ${JSON.stringify(own)}, subscribe: ${JSON.stringify(own)}, allow_responses: true }`;
  writeFileSync(config, `authorization { users: [{ user: "u", password: "p", permissions: ${may} }] }`);
  const nats = await requireNats(t, { config });
  if (nats === undefined) return;
  const { bus, log } = await natsBus(t, { url: nats.url.replace('//', '//u:p@') });
  bus.respond('auth.token', async () => ({ ok: false, reason: 'invalid' }));
  await bus.request('auth.token', { token: 't', remoteAddress: '192.0.2.1', via: 'http' }, { timeoutMs: 5000 });
  bus.subscribe(['mailbox.changed'], () => {}, { durable: 'forbidden' });
  const told = /\$JS\.API\.CONSUMER\.INFO\.WAYPOST_EVENTS\.forbidden","msg":"this NATS user has no right/;
  await until('it is told', 5000, async () => (told.test(log()) ? true : undefined));
});

test('an address where no server is: `waypost migrate` says so at once', async () => {
  const [port = 0] = await freePorts(1);
  const url = `nats://u:geheim@127.0.0.1:${port}`;
  await assert.rejects(prepareStreams({ url, service: 'migrate' }), (error) => {
    assert.ok(error instanceof ServerUnreachable);
    assert.equal(error.message, `NATS at 127.0.0.1:${port} can't be reached: nothing listens there (ECONNREFUSED)`);
    return true;
  });
});

/** A server without streams, and the API as an administrator has it. */
async function fresh(t: TestContext): Promise<{ url: string; jsm: JetStreamManager } | undefined> {
  const nats = await requireNats(t, { own: true });
  if (nats === undefined) return undefined;
  const nc = await connect({ servers: nats.url });
  t.after(() => nc.close());
  return { url: nats.url, jsm: await jetstreamManager(nc) };
}

function misconfigured(kind: BusMisconfigured['kind'], says: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BusMisconfigured, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, says);
    return true;
  };
}
