import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createMemoryBus } from '../../../libs/bus/memory/bus.ts';
import { createHttpBytes } from '../../../libs/http/http-bytes.ts';
import { mountRoutes } from '../../../libs/http/mount-routes.ts';
import { startHttpServer } from '../../../libs/http/server.ts';
import { createLogger } from '../../../libs/ops/logger.ts';
import { systemClock } from '../../../libs/runtime/clock.ts';
import { eventStreams } from './events-route.ts';

async function setUp(t: { after(end: () => Promise<void>): void }) {
  const [log, metrics] = [createLogger({ level: 'silent' }), new Registry()];
  const bus = createMemoryBus({ source: '/test', clock: systemClock, log, metrics });
  const credentials = { good: true };
  const streams = eventStreams({
    bus,
    metrics,
    mailboxes: { state: async () => 'a.1' },
    verifier: { isGood: async () => credentials.good },
    pollIntervalMs: 10,
  });
  const caller = { accountId: 'a', address: '', admin: false, scopes: [], credentialVersion: 1 };
  const options = { authenticate: () => caller, log, metrics, bytes: createHttpBytes(metrics) };
  const routers = [mountRoutes([streams.route], options)];
  const server = await startHttpServer({ listen: { host: '127.0.0.1', port: 0 }, routers, log, metrics });
  t.after(async () => {
    await streams.close();
    await server.close(0);
    await bus.close();
  });
  return { credentials, url: `http://127.0.0.1:${server.address.port}/api/v1/accounts/me/events` };
}

test('a stream ends when its credentials are good no more', { timeout: 10_000 }, async (t) => {
  const { credentials, url } = await setUp(t);
  const reader = (await fetch(url)).body?.pipeThrough(new TextDecoderStream()).getReader();
  assert.ok(reader !== undefined);
  assert.match((await reader.read()).value ?? '', /^event: state\nid: a\.1\n/);
  assert.match((await reader.read()).value ?? '', /^: still here/);
  credentials.good = false;
  let ended = false;
  while (!ended) ended = (await reader.read()).done;
});

test('HEAD tells of a stream and opens none', { timeout: 10_000 }, async (t) => {
  const { url } = await setUp(t);
  const head = await fetch(url, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-type')], [200, 'text/event-stream']);
  assert.equal(await head.text(), '');
});
