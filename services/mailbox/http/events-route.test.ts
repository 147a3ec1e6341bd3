import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import express from 'express';
import { Registry } from 'prom-client';
import { until } from '../../../tests/support/until.ts';
import { createMemoryBus } from '../../../libs/bus/memory/bus.ts';
import { createHttpBytes } from '../../../libs/http/http-bytes.ts';
import { mountRoutes } from '../../../libs/http/mount-routes.ts';
import { createLogger } from '../../../libs/ops/logger.ts';
import { systemClock } from '../../../libs/runtime/clock.ts';
import { newId } from '../../../libs/runtime/ids.ts';
import { eventStreams } from './events-route.ts';

const accountId = newId();

/** The route on a real server; whoever asks is the account, as soon as `admitted` says so. */
async function openStreams(
  t: TestContext,
  options: { admitted?: Promise<void>; state?: () => Promise<string>; pollIntervalMs?: number } = {},
) {
  const metrics = new Registry();
  const log = createLogger({ level: 'silent', service: 'test' });
  const bus = createMemoryBus({ source: '/waypost/test/1', clock: systemClock, log, metrics });
  const { admitted, state = async () => '1.1', ...poll } = options;
  const streams = eventStreams({ bus, mailboxes: { state }, verifier: { isGood: async () => true }, metrics, ...poll });
  let asked = 0;
  const authenticate = async () => {
    asked++;
    await admitted;
    return { accountId, address: 'a@example.test', admin: false, scopes: [], credentialVersion: 1 };
  };
  const server = createServer(
    express().use(mountRoutes([streams.route], { authenticate, log, metrics, bytes: createHttpBytes(metrics) })),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    await streams.close();
    await bus.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const connect = () => {
    const request = get({ port, host: '127.0.0.1', path: '/api/v1/accounts/me/events', agent: false });
    request.on('error', () => {});
    return request;
  };
  const open = async (): Promise<number> =>
    Number(/^waypost_mailbox_event_streams (\d+)$/m.exec(await metrics.metrics())?.[1]);
  return { streams, server, bus, connect, open, asked: () => asked };
}

test('a client that goes away while it is being authenticated leaves no stream behind', async (t) => {
  const { promise: admitted, resolve: admit } = Promise.withResolvers<void>();
  const { server, connect, open, asked } = await openStreams(t, { admitted });
  const gone = connect();
  await until('it is being authenticated', 5_000, () => asked() === 1);
  const sockets = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  gone.destroy();
  await until('the server has seen that it went', 5_000, async () => (await sockets()) === 0);
  admit();
  const stays = connect();
  await once(stays, 'response');
  assert.equal(await open(), 1);
  stays.destroy();
  await until('the other is gone too', 5_000, async () => (await open()) === 0);
});

test('a poll asks the store for a few streams at a time, and for all of them', async (t) => {
  const all = 20;
  let running = 0;
  let most = 0;
  let asked = 0;
  const state = async () => {
    asked++;
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    return '1.1';
  };
  const { connect, open } = await openStreams(t, { state, pollIntervalMs: 20 });
  for (let n = 0; n < all; n++) {
    const stream = connect();
    await once(stream, 'response');
  }
  assert.equal(await open(), all);
  const before = asked;
  await until('all were polled', 5_000, () => asked >= before + 2 * all);
  assert.ok(most <= 17, `${most} at once`);
});
