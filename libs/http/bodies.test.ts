import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { after, before, test } from 'node:test';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { createLogger } from '../ops/logger.ts';
import { HeldBytes } from '../runtime/held-bytes.ts';
import { mountRoutes } from './mount-routes.ts';
import { problem } from './problem.ts';
import { defineRoute } from './route.ts';
import { startHttpServer } from './server.ts';
import type { HttpServer } from './server.ts';

const mib = 1024 * 1024;
const budget = new HeldBytes({ totalBytes: 20 * mib, perHolderBytes: 12 * mib });

const base = { summary: '', tags: [], replies: {}, access: 'account' } as const;
const routes = [
  defineRoute({
    ...base,
    method: 'post',
    path: '/bodies',
    operationId: 'send',
    body: z.strictObject({ text: z.string().optional() }),
    maxBodyBytes: 10 * mib,
    handle: async ({ body }) => ({ status: 200, body: { length: body.text?.length ?? null } }),
  }),
  defineRoute({
    ...base,
    method: 'get',
    path: '/bytes',
    operationId: 'read',
    handle: async () => ({
      status: 200,
      body: Buffer.alloc(11 * mib),
      headers: { 'content-type': 'application/octet-stream' },
    }),
  }),
];

let server: HttpServer;
before(async () => {
  const log = createLogger({ level: 'silent', service: 'test' });
  const metrics = new Registry();
  const router = mountRoutes(routes, {
    authenticate: ({ headers: { authorization } }) => {
      if (authorization === undefined) throw problem('unauthenticated');
      return { accountId: authorization, address: '', admin: false, scopes: [], credentialVersion: 1 };
    },
    log,
    metrics,
    bytes: budget,
  });
  server = await startHttpServer({ listen: { host: '127.0.0.1', port: 0 }, routers: [router], log, metrics });
});
after(() => server.close(0));

async function post(body: string | Uint8Array, headers: Record<string, string> = {}) {
  const init = {
    method: 'POST',
    headers: { authorization: 'ann', 'content-type': 'application/json', ...headers },
    body,
  };
  const response = await fetch(`http://127.0.0.1:${server.address.port}/bodies`, init);
  const text = await response.text();
  // oxlint-disable-next-line typescript/no-explicit-any -- the test looks into answers freely
  const answer: any = JSON.parse(text);
  return { status: response.status, code: answer.code, detail: answer.detail, answer, text, headers: response.headers };
}

/** A request that is sent as far as `text` goes; `status` waits for the answer's first line. */
async function open(t: { after(end: () => void): void }, text: string) {
  const socket: Socket = connect(server.address.port, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(text);
  const status = async (): Promise<number> => {
    const [first] = await once(socket, 'data');
    return Number(String(first).slice(9, 12));
  };
  return { socket, status };
}

function head(who: string, length: number, extra = ''): string {
  return `POST /bodies HTTP/1.1\r\nhost: x\r\nauthorization: ${who}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n${extra}\r\n`;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'it did not come to that within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const large = `{"text":"${'x'.repeat(9 * mib)}"}`;

test('bodies under way are bounded for one account and for all, and what is answered makes room', async (t) => {
  const first = await open(t, head('ann', 9 * mib) + large.slice(0, 8 * mib));
  await until(() => budget.bytes >= 7 * mib);
  const same = await post(large);
  assert.deepEqual([same.status, same.code], [429, 'tooManyRequests']);
  assert.ok(Number(same.headers.get('retry-after')) > 0);
  await open(t, head('ben', 9 * mib) + large.slice(0, 8 * mib));
  await until(() => budget.bytes >= 15 * mib);
  const other = await post(large, { authorization: 'cay' });
  assert.deepEqual([other.status, other.code], [503, 'overloaded']);
  assert.equal((await post('{"text":"x"}', { authorization: 'cay' })).status, 200);
  first.socket.destroy();
  await until(() => budget.bytes < 9 * mib);
  assert.equal((await post(large, { authorization: 'cay' })).status, 200);
});

test('a body without a length is counted as it comes', async (t) => {
  const chunked = head('ann', 0).replace(/content-length: 0/, 'transfer-encoding: chunked');
  const chunk = `${mib.toString(16)}\r\n${' '.repeat(mib)}\r\n`;
  const { status } = await open(t, chunked + chunk.repeat(11));
  assert.equal(await status(), 413);
});

test('nothing is held of a body whose sender is not known, nor after an answer', async (t) => {
  const { socket, status } = await open(
    t,
    `POST /bodies HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${9 * mib}\r\n\r\n${large.slice(0, mib)}`,
  );
  assert.equal(await status(), 401);
  socket.destroy();
  assert.equal((await post(large)).status, 200);
  await until(() => budget.bytes === 0);
});

test('a client that waits for leave to send is answered before it sends, and let when it may', async (t) => {
  const expect = 'expect: 100-continue\r\n';
  const unknown = await open(t, head('', 20, expect).replace('authorization: \r\n', ''));
  assert.equal(await unknown.status(), 401);
  const tooMuch = await open(t, head('ann', 11 * mib, expect));
  assert.equal(await tooMuch.status(), 413);
  const known = await open(t, head('ann', 12, expect));
  assert.equal(await known.status(), 100);
  known.socket.write('{"text":"x"}');
  assert.equal(await known.status(), 200);
});

test('an answer that its client does not take counts until it has gone', async (t) => {
  const slow = await open(t, 'GET /bytes HTTP/1.1\r\nhost: x\r\nauthorization: ann\r\n\r\n');
  slow.socket.pause();
  await until(() => budget.bytes >= 11 * mib);
  const again = await fetch(`http://127.0.0.1:${server.address.port}/bytes`, { headers: { authorization: 'ann' } });
  assert.equal(again.status, 429);
  assert.equal(again.headers.get('content-type'), 'application/problem+json');
  slow.socket.destroy();
  await until(() => budget.bytes === 0);
});

test('JSON that is small as text and huge as values is refused before it is parsed', async () => {
  for (const [bomb, said] of [
    ['['.repeat(9 * mib), /deeper than 32/],
    ['{"a":'.repeat(mib), /deeper than 32/],
    [`[${'[],'.repeat(3 * mib)}[]]`, /more than 50000 values/],
    [`{${'"a":1,'.repeat(mib)}"b":1}`, /more than 50000 values/],
    [`[${'0,'.repeat(4 * mib)}0]`, /more than 50000 values/],
  ] as const) {
    const { status, code, detail } = await post(bomb);
    assert.deepEqual([status, code], [400, 'malformedJson']);
    assert.match(detail, said);
  }
});

test('brackets, commas and escaped quotes in text are text', async () => {
  const text = '[{,"\\'.repeat(100_000);
  assert.deepEqual((await post(JSON.stringify({ text }))).answer, { length: text.length });
});

test('a problem does not send back all that was wrong', async () => {
  const keys = Array.from({ length: 40_000 }, (_, n) => `"key${n}":1`).join(',');
  const { status, text } = await post(`{${keys}}`);
  assert.equal(status, 400);
  assert.ok(text.length < 2000, `${text.length} characters`);
});

test('keys that objects have by themselves are keys like any other', async () => {
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    assert.equal((await post(`{"${key}":{"polluted":true}}`)).status, 400, key);
    assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  }
});

test('a body is JSON in UTF-8, not compressed', async () => {
  assert.equal((await post('\uFEFF{"text":"ü"}')).answer.length, 1);
  assert.equal((await post('{}', { 'content-type': 'application/json; charset="UTF-8"' })).status, 200);
  assert.equal((await post('{}', { 'content-type': 'application/merge-patch+json' })).status, 200);
  assert.equal((await post('{}', { 'content-type': 'application/json; charset=utf-16' })).status, 415);
  assert.equal((await post('{}', { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await post('{}', { 'content-encoding': 'br' })).status, 415);
  const broken = Buffer.from('{"text":"\xff\xfe"}', 'latin1');
  assert.equal((await post(broken)).code, 'malformedJson');
});
