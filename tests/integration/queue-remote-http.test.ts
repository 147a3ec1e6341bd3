import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test, { type TestContext } from 'node:test';
import express from 'express';
import { z } from 'zod';
import { createQueue } from '../../services/queue/main.ts';
import { delivered, openRemote, ordinary } from './queue-remote-fixture.ts';

const destination = z.object({
  name: z.string(),
  group: z.string().nullable(),
  ready: z.number(),
  deferred: z.number(),
  leased: z.number(),
  held: z.number(),
  paused: z.boolean(),
  limits: z.object({ connections: z.number(), perConnection: z.number(), perSecond: z.number() }),
});
const answer = z.object({
  ...destination.partial().shape,
  code: z.string().optional(),
  items: z.array(destination).default([]),
  nextCursor: z.string().nullish(),
});

async function api(t: TestContext) {
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
    const response = await fetch(`http://127.0.0.1:${address.port}/api/v1/queue/destinations${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return { status: response.status, body: answer.parse(await response.json()) };
  };
  return { mail, call };
}

test('a paused destination keeps its mail as it is, also what comes later, and goes on when it is resumed', async (t) => {
  const { mail, call } = await api(t);
  assert.equal((await call('POST', '/one.test/pause')).body.paused, true);
  const waits = await mail.send(['a@one.test']);
  const other = await mail.send(['a@two.test']);
  const batch = await mail.pullRemote();
  assert.equal(batch?.rows[0]?.messageId, other);
  await mail.settle(batch, delivered);
  assert.equal(await mail.pullRemote(1_000), undefined);
  const { body } = await call('GET', '/one.test');
  assert.deepEqual([body.ready, body.leased, body.paused], [1, 0, true]);
  assert.deepEqual([(await mail.row(waits)).state, (await mail.row(waits)).attempts], ['queued', 0]);
  const pulling = mail.pullRemote(10_000);
  assert.equal((await call('POST', '/one.test/resume')).body.paused, false);
  assert.equal((await pulling)?.rows[0]?.messageId, waits);
});

test('destinations are listed page by page with their group; limits of the group are set and taken back', async (t) => {
  const { mail, call } = await api(t);
  for (const domain of ['one.test', 'two.test']) {
    await mail.send([`a@${domain}`]);
    assert.ok(await mail.pullRemote());
  }
  const list = async () => (await call('GET', '?limit=1')).body;
  // The owner tells of groups a moment after it has routed.
  for (let tries = 0; (await list()).nextCursor === null && tries < 100; tries++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  const first = await list();
  assert.deepEqual(
    first.items.map(({ name, group, leased }) => [name, group, leased]),
    [['one.test', 'one.test', 1]],
  );
  const second = (await call('GET', `?limit=1&cursor=${first.nextCursor}`)).body;
  assert.deepEqual([second.items[0]?.name, second.nextCursor], ['two.test', null]);
  assert.deepEqual((await call('GET', '?prefix=two')).body.items.length, 1);

  const set = await call('PATCH', '/one.test', { limits: { connections: 3, perSecond: 7 } });
  assert.deepEqual(set.body.limits, { connections: 3, perConnection: 100, perSecond: 7 });
  const back = await call('PATCH', '/one.test', { limits: { connections: null } });
  assert.deepEqual(back.body.limits, { connections: 20, perConnection: 100, perSecond: 7 });
  for (const limits of [{ connections: 0 }, { connections: 1.5 }, { perSecond: -1 }, { other: 1 }])
    assert.equal((await call('PATCH', '/one.test', { limits })).status, 400);
  assert.equal((await call('PATCH', '/unknown.test', { limits: { connections: 1 } })).body.code, 'conflict');
  assert.equal((await call('GET', '/unknown.test')).status, 404);
});
