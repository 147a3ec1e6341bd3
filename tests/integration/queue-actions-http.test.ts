import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test, { type TestContext } from 'node:test';
import express from 'express';
import { z } from 'zod';
import { newId } from '../../libs/runtime/ids.ts';
import { createQueue } from '../../services/queue/main.ts';
import { until } from '../support/until.ts';
import { delivered, openRemote, ordinary } from './queue-remote-fixture.ts';

const waitMs = 10_000;

const entry = z.object({ event: z.string(), reply: z.string().nullable(), host: z.string().nullish() });
const answer = z.object({
  id: z.string().default(''),
  state: z.string().default(''),
  recipient: z.string().default(''),
  destination: z.string().default(''),
  code: z.string().default(''),
  detail: z.string().default(''),
  wanted: z.string().nullish(),
  lastReply: z.string().nullish(),
  route: z
    .object({
      group: z.string().nullable(),
      via: z.string().nullable(),
      hosts: z.array(z.object({ host: z.string() })).nullable(),
      problem: z.string().nullable(),
    })
    .nullish(),
  trace: z.array(entry).default([]),
  items: z.array(z.record(z.string(), z.unknown())).default([]),
  nextCursor: z.string().nullish(),
  matched: z.number().default(-1),
  changed: z.number().default(-1),
  actionId: z.string().nullish(),
});

/** The queue API over HTTP with a queue that runs, and a worker that the test plays. */
async function queueApi(t: TestContext) {
  const zones = { ...ordinary('one.test'), ...ordinary('two.test') };
  const mail = await openRemote(t, { zones });
  const queue = createQueue(mail.queueDeps());
  await mail.startService(queue);
  const app = express();
  if (queue.router !== undefined) app.use(queue.router);
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`http://127.0.0.1:${address.port}/api/v1/queue${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return { status: response.status, body: answer.parse(await response.json()) };
  };
  return {
    mail,
    get: (path: string) => call('GET', path),
    post: (path: string, body?: unknown) => call('POST', path, body),
    /** A message for one.test that waits for its time. */
    later: (change: { sender?: string } = {}) =>
      mail.send(['a@one.test'], { ...change, dueAt: mail.clock.nowMs() + 3_600_000 }),
  };
}

test('a delivery that an operator bounces ends bounced, and its sender is told with that text', async (t) => {
  const { mail, get, post, later } = await queueApi(t);
  const alice = await mail.addAccount('alice');
  const messageId = await later({ sender: 'alice@example.test' });
  const { status, body } = await post(`/deliveries/${messageId}.0/bounce`, { text: 'We don’t write to them' });
  assert.deepEqual([status, body.state, body.lastReply], [200, 'failed', '550 5.7.1 We don’t write to them']);
  await mail.startMailbox();
  await until('bounced', waitMs * 2, async () => (await mail.states(messageId))[0] === 'bounced');
  await until('told', waitMs, async () => (await mail.inbox(alice)).length === 1);
  const { trace } = (await get(`/deliveries/${messageId}.0`)).body;
  assert.deepEqual(
    trace.map(({ event }) => event),
    ['accepted', 'bounce', 'failure reported'],
  );
  assert.match(trace[1]?.reply ?? '', /by admin@example.test: 550 5.7.1 We don’t write to them/);
  assert.match(trace[2]?.reply ?? '', /^to <alice@example.test> as the message [0-9a-f-]+: /);
  for (const action of ['bounce', 'retry', 'cancel', 'hold'])
    assert.equal(
      (await post(`/deliveries/${messageId}.0/${action}`, action === 'bounce' ? {} : undefined)).status,
      409,
    );
  assert.equal((await post(`/deliveries/${messageId}.0/bounce`, { text: 'two\r\nlines' })).status, 400);
});

test('a rerouted delivery shows its way; routes that are not there, and mailboxes here, are refused', async (t) => {
  const { mail, get, post, later } = await queueApi(t);
  const id = `${await later()}.0`;
  assert.equal((await post(`/deliveries/${id}/reroute`, { host: 'Relay.Example', port: 2525 })).status, 200);
  assert.equal((await get(`/deliveries/${id}`)).body.route?.via, 'relay.example:2525');
  assert.equal((await post(`/deliveries/${id}/reroute`, { route: null })).status, 200);
  const { route } = (await get(`/deliveries/${id}`)).body;
  assert.deepEqual([route?.via, route?.hosts?.map(({ host }) => host)], [null, ['mx.one.test']]);
  assert.equal((await post(`/deliveries/${id}/reroute`, { route: 'nowhere' })).body.code, 'conflict');
  for (const body of [{}, { host: 'not a host' }, { host: 'a.test', route: '*' }, { port: 25 }, { unknown: 1 }])
    assert.equal((await post(`/deliveries/${id}/reroute`, body)).status, 400, JSON.stringify(body));
  const local = await mail.accept([await mail.addAccount('bob')], { delayMs: 3_600_000 });
  assert.equal((await post(`/deliveries/${local}.0/reroute`, { host: 'relay.example' })).status, 409);
});

test('a delivery with a new recipient goes there: elsewhere, or to a mailbox here', async (t) => {
  const { mail, get, post } = await queueApi(t);
  const bob = await mail.addAccount('bob');
  await mail.startMailbox();
  await post('/destinations/one.test/pause');
  const [away, home] = [await mail.send(['a@one.test']), await mail.send(['a@one.test'])];
  const moved = await post(`/deliveries/${away}.0/recipient`, { recipient: 'New@two.test' });
  assert.deepEqual([moved.status, moved.body.recipient, moved.body.destination], [200, 'New@two.test', 'two.test']);
  const batch = (await mail.pullRemote()) ?? assert.fail('nothing to pull');
  assert.deepEqual([batch.way?.destination, batch.rows[0]?.recipient], ['two.test', 'New@two.test']);
  await mail.settle(batch, delivered);
  assert.equal((await post(`/deliveries/${home}.0/recipient`, { recipient: 'bob@example.test' })).status, 200);
  await until('in the mailbox', waitMs, async () => (await mail.inbox(bob)).length === 1);
  assert.match((await get(`/deliveries/${home}.0`)).body.trace[1]?.reply ?? '', /from a@one.test to bob@example.test/);
  const other = `${await mail.send(['a@one.test'])}.0`;
  for (const [recipient, status] of [
    ['nobody@example.test', 409],
    ['x@nodot', 409],
    ['no address', 400],
  ] as const)
    assert.equal((await post(`/deliveries/${other}/recipient`, { recipient })).status, status, recipient);
});

test('a change of a delivery whose attempt is under way is noted, and applies when that ends', async (t) => {
  const { mail, get, post } = await queueApi(t);
  const messageId = await mail.send(['a@one.test']);
  const batch = (await mail.pullRemote()) ?? assert.fail('nothing to pull');
  const { status } = await post(`/deliveries/${messageId}.0/recipient`, { recipient: 'b@two.test' });
  assert.equal(status, 202);
  const shown = (await get(`/deliveries/${messageId}.0`)).body;
  assert.deepEqual([shown.wanted, shown.recipient], ['recipient', 'a@one.test']);
  const nextAttemptAt = mail.clock.nowMs() + 3_600_000;
  await mail.settle(batch, { kind: 'deferred', reply: '451 later', replyClass: 'temporary', nextAttemptAt });
  assert.equal((await get(`/deliveries/${messageId}.0`)).body.recipient, 'b@two.test');
});

test('one action on all that match: counted by a dry run, done page by page, recorded with its filter', async (t) => {
  const { mail, get, post, later } = await queueApi(t);
  const ids: string[] = [];
  for (let n = 0; n < 230; n++) ids.push(await later({ sender: 'bulk@far.test' }));
  const other = await later();
  const filter = { sender: 'bulk@far.test', state: 'queued' };
  const dry = await post('/actions', { action: 'hold', filter, dryRun: true });
  assert.deepEqual([dry.status, dry.body.matched, dry.body.changed, dry.body.actionId], [200, 230, 0, null]);
  const held = await post('/actions', { action: 'hold', filter });
  assert.deepEqual([held.body.matched, held.body.changed, held.body.nextCursor], [230, 230, null]);
  assert.equal((await mail.states(other))[0], 'queued');
  const again = await post('/actions', { action: 'hold', filter: { sender: 'bulk@far.test' } });
  assert.deepEqual([again.body.matched, again.body.changed], [230, 0]);
  const { items } = (await get('/audit')).body;
  assert.deepEqual([items[0]?.['changed'], items[0]?.['matched']], [0, 230]);
  assert.deepEqual(
    [items[1]?.['id'], items[1]?.['actor'], items[1]?.['filter']],
    [held.body.actionId, 'admin@example.test', filter],
  );
  assert.notEqual(items[1]?.['endedAt'], null);
  const { trace } = (await get(`/deliveries/${ids[0]}.0`)).body;
  assert.match(trace[1]?.reply ?? '', new RegExp(`by admin@example.test \\(action ${held.body.actionId}\\)`));
  const one = await post(`/deliveries/${other}.0/cancel`);
  assert.equal(one.status, 200);
  const newest = (await get('/audit?limit=1')).body;
  assert.deepEqual([newest.items[0]?.['deliveryId'], newest.items[0]?.['action']], [`${other}.0`, 'cancel']);
  assert.notEqual(newest.nextCursor, null);
});

test('an action goes on from where the call before came to, as the same record; another’s cursor is refused', async (t) => {
  const { mail, get, post, later } = await queueApi(t);
  for (let n = 0; n < 3; n++) await later({ sender: 'bulk@far.test' });
  const filter = { sender: 'bulk@far.test' };
  const first = await post('/actions', { action: 'hold', filter });
  const [newest] = await mail.deliveries.list(filter, { limit: 1 });
  const cursorOf = (record: string | null) =>
    Buffer.from(JSON.stringify({ after: newest?.id, at: mail.clock.nowMs(), record })).toString('base64url');
  const cursor = cursorOf(first.body.actionId ?? null);
  const next = await post('/actions', { action: 'hold', filter, cursor });
  assert.deepEqual([next.status, next.body.matched, next.body.actionId], [200, 2, first.body.actionId]);
  assert.equal((await get('/audit?limit=1')).body.items[0]?.['matched'], 5);
  for (const body of [
    { action: 'cancel', filter, cursor },
    { action: 'hold', filter: { sender: 'x@far.test' }, cursor },
    { action: 'hold', filter, cursor: cursorOf(newId()) },
    { action: 'hold', filter, cursor: cursorOf(null) },
  ])
    assert.equal((await post('/actions', body)).body.code, 'invalidCursor', JSON.stringify(body));
});

test('an action needs a condition, and knows all of its words', async (t) => {
  const { post } = await queueApi(t);
  for (const body of [
    { action: 'cancel', filter: {} },
    { action: 'cancel' },
    { action: 'cancel', filter: { sendr: 'typo@far.test' } },
    { action: 'lose', filter: { state: 'queued' } },
    { action: 'hold', filter: { state: 'queued' }, text: 'x' },
    { action: 'recipient', filter: { state: 'queued' } },
  ])
    assert.equal((await post('/actions', body)).status, 400, JSON.stringify(body));
});

test('finished mail is found by its message, by time, and by who it was for, and its trace says where it came from', async (t) => {
  const { mail, get } = await queueApi(t);
  const messageId = await mail.send(['a@one.test', 'b@one.test']);
  await mail.settle((await mail.pullRemote()) ?? assert.fail('nothing to pull'), delivered);
  const found = async (query: string) => (await get(`/deliveries?${query}`)).body.items.length;
  assert.equal(await found(`messageId=${messageId}`), 2);
  assert.equal(await found(`messageId=${newId()}`), 0);
  assert.equal(await found('recipient=b@one.test&state=delivered&newerThan=1h'), 1);
  mail.clock.skip(7_200_000);
  assert.equal(await found('recipient=b@one.test&newerThan=1h'), 0);
  assert.equal(await found('recipient=b@one.test&olderThan=1h&newerThan=3h'), 1);
  const { trace, route } = (await get(`/deliveries/${messageId}.0`)).body;
  assert.deepEqual(
    trace.map(({ event }) => event),
    ['accepted', 'delivered'],
  );
  assert.match(trace[0]?.reply ?? '', /bytes from <sender@example.test>/);
  assert.equal(route?.hosts, null, 'it goes nowhere any more');
});
