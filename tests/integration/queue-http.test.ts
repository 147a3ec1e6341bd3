import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test, { type TestContext } from 'node:test';
import express from 'express';
import { z } from 'zod';
import { newId } from '../../libs/runtime/ids.ts';
import { createQueue } from '../../services/queue/main.ts';
import { until } from '../support/until.ts';
import { openMailSystem } from './mail-system.ts';

const waitMs = 10_000;

/** What the tests look at, of whatever answer it is. */
const answer = z.object({
  id: z.string().default(''),
  state: z.string().default(''),
  code: z.string().default(''),
  trace: z.array(z.object({ event: z.string() })).default([]),
  items: z.array(z.object({ id: z.string(), recipient: z.string() })).default([]),
  nextCursor: z.string().nullish(),
  byState: z.record(z.string(), z.number()).default({}),
});

/** The queue API over HTTP, of a queue that isn't started: nothing moves but what the test moves. */
async function queueApi(t: TestContext) {
  const mail = await openMailSystem(t);
  const queue = createQueue(mail.queueDeps());
  const app = express();
  if (queue.router !== undefined) app.use(queue.router);
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const { port } = address;
  const call = async (method: string, path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/queue${path}`, { method });
    return { status: response.status, body: answer.parse(await response.json()) };
  };
  return { mail, queue, get: (path: string) => call('GET', path), post: (path: string) => call('POST', path) };
}

test('deliveries are listed newest first, page by page, and found by what is known of them', async (t) => {
  const { mail, get } = await queueApi(t);
  const [alice, bob] = [await mail.addAccount('alice'), await mail.addAccount('bob')];
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.push(`${await mail.accept([n === 3 ? bob : alice], { sender: `s${n}@far.test` })}.0`);
  const first = await get('/deliveries?limit=2');
  assert.equal(first.status, 200);
  assert.deepEqual(
    first.body.items.map(({ id }) => id),
    [ids[4], ids[3]],
  );
  const second = await get(`/deliveries?limit=3&cursor=${first.body.nextCursor}`);
  assert.deepEqual(
    second.body.items.map(({ id }) => id),
    [ids[2], ids[1], ids[0]],
  );
  assert.equal(second.body.nextCursor, null);
  const bySender = await get('/deliveries?sender=s3@far.test&state=queued&olderThan=0s');
  assert.equal(bySender.body.items.length, 1);
  assert.equal(bySender.body.items[0]?.recipient, `${bob}@example.test`);
  assert.deepEqual((await get('/deliveries?olderThan=1h')).body.items, []);
  assert.deepEqual((await get('/counts')).body.byState['queued'], 5);
});

test('one delivery shows its trace; its id is understood with a dot and with an encoded slash', async (t) => {
  const { mail, get } = await queueApi(t);
  const messageId = await mail.accept([await mail.addAccount('alice')]);
  for (const id of [`${messageId}.0`, `${messageId}%2F0`]) {
    const { status, body } = await get(`/deliveries/${id}`);
    assert.equal(status, 200);
    assert.equal(body.id, `${messageId}.0`);
    assert.equal(body.trace[0]?.event, 'accepted');
  }
  assert.equal((await get(`/deliveries/${messageId}.1`)).status, 404);
  assert.equal((await get(`/deliveries/${newId()}.0`)).status, 404);
  assert.equal((await get('/deliveries/nonsense')).status, 400);
  assert.equal((await get('/deliveries?cursor=bm9uc2Vuc2U')).body.code, 'invalidCursor');
  assert.equal((await get('/deliveries?state=lost')).status, 400);
});

test('a held delivery stays until it is released; a cancelled one is never delivered', async (t) => {
  const { mail, queue, get, post } = await queueApi(t);
  const alice = await mail.addAccount('alice');
  const [held, cancelled] = [await mail.accept([alice]), await mail.accept([alice])];
  const events: unknown[] = [];
  mail.bus.subscribe(['mail.cancelled'], ({ data }) => void events.push(data));
  assert.equal((await post(`/deliveries/${held}.0/hold`)).body.state, 'held');
  assert.equal((await post(`/deliveries/${held}.0/hold`)).status, 409);
  assert.equal((await post(`/deliveries/${cancelled}.0/cancel`)).body.state, 'cancelled');
  assert.equal((await post(`/deliveries/${cancelled}.0/retry`)).body.code, 'conflict');
  assert.equal((await post(`/deliveries/${newId()}.0/cancel`)).status, 404);
  await until('told', waitMs, () => events.length === 1);

  await mail.startService(queue);
  await mail.startMailbox();
  const other = await mail.accept([alice]);
  await until('the other is delivered', waitMs, async () => (await mail.states(other))[0] === 'delivered');
  assert.equal((await get(`/deliveries/${held}.0`)).body.state, 'held');
  assert.equal((await post(`/deliveries/${held}.0/release`)).status, 200);
  await until('delivered', waitMs, async () => (await mail.states(held))[0] === 'delivered');
  assert.equal((await mail.inbox(alice)).length, 2);
});

test('cancelling a delivery whose attempt is under way is noted, and applies when its lease ends', async (t) => {
  const { mail, queue, post } = await queueApi(t);
  const messageId = await mail.accept([await mail.addAccount('alice')]);
  await mail.startService(queue);
  await mail.pull();
  const { status, body } = await post(`/deliveries/${messageId}.0/cancel`);
  assert.equal(status, 202);
  assert.equal(body.state, 'leased');
  const events: unknown[] = [];
  mail.bus.subscribe(['mail.cancelled'], ({ data }) => void events.push(data));
  await until('cancelled', waitMs, async () => (await mail.states(messageId))[0] === 'cancelled');
  await until('told', waitMs, () => events.length === 1);
});
