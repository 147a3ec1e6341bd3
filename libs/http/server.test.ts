import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { Registry } from 'prom-client';
import { z } from 'zod';
import { createLogger } from '../ops/logger.ts';
import { NotFound, Refused, StoreBusy } from '../store/errors.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { createHttpBytes } from './http-bytes.ts';
import { mountRoutes, routesOf } from './mount-routes.ts';
import { openApiDocument } from './openapi.ts';
import { problem } from './problem.ts';
import { defineRoute } from './route.ts';
import type { Caller, Route } from './route.ts';
import { startHttpServer } from './server.ts';
import type { HttpServer } from './server.ts';

const base = { summary: '', tags: ['test'], replies: { 200: { description: '' } } } as const;
const alice: Caller = { accountId: 'a', address: 'alice@example.test', admin: false, scopes: [], credentialVersion: 1 };

const routes: Route[] = [
  defineRoute({
    ...base,
    method: 'get',
    path: '/api/v1/things/:id',
    operationId: 'getThing',
    access: 'account',
    scope: 'mail:read',
    params: z.object({ id: z.string().regex(/^\w{1,10}$/) }),
    query: z.object({ limit: z.coerce.number().int().min(1).max(500).default(50), cursor: z.string().optional() }),
    handle: async ({ params, query, caller }) => {
      const after = query.cursor === undefined ? null : decodeCursor(z.object({ n: z.int() }), query.cursor);
      return { status: 200, body: { id: params.id, limit: query.limit, after, by: caller.address } };
    },
  }),
  defineRoute({
    ...base,
    method: 'post',
    path: '/api/v1/things/:id',
    operationId: 'changeThing',
    access: 'public',
    params: z.object({ id: z.string() }),
    body: z.object({ name: z.string() }),
    maxBodyBytes: 100,
    handle: async ({ params, body }) => {
      if (params.id === 'missing') throw new NotFound('thing');
      if (params.id === 'refused') throw new Refused('thingInUse', 'it is in use');
      if (params.id === 'busy') throw new StoreBusy();
      if (params.id === 'broken') throw new Error('with a secret inside');
      return { status: 200, body, headers: { etag: '"1"' } };
    },
  }),
  defineRoute({
    ...base,
    method: 'delete',
    path: '/api/v1/admin',
    operationId: 'administer',
    access: 'admin',
    handle: async () => ({ status: 204 }),
  }),
];

let server: HttpServer;
const metrics = new Registry();
let caller: Caller | undefined = alice;

before(async () => {
  const log = createLogger({ level: 'silent', service: 'test' });
  const authenticate = (): Caller => caller ?? raise();
  const router = mountRoutes(routes, { authenticate, log, metrics, bytes: createHttpBytes(metrics) });
  const document = async (): Promise<string> => JSON.stringify(openApiDocument(routesOf(router)));
  server = await startHttpServer({ listen: { host: '127.0.0.1', port: 0 }, routers: [router], document, log, metrics });
});
after(() => server.close(0));

function raise(): never {
  throw problem('unauthenticated');
}

function url(path: string): string {
  return `http://127.0.0.1:${server.address.port}${path}`;
}

/** Bytes as they are, because fetch refuses to send what is malformed. */
async function raw(text: string): Promise<string> {
  const socket = connect(server.address.port, '127.0.0.1');
  socket.end(text);
  let answer = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    answer += part;
  });
  await once(socket, 'close');
  return answer;
}

const json = { 'content-type': 'application/json' };

const table: readonly { name: string; path: string; init?: RequestInit; status: number; code?: string }[] = [
  { name: 'a request that fits', path: '/api/v1/things/7?limit=3', status: 200 },
  { name: 'a huge limit', path: '/api/v1/things/7?limit=1000000000', status: 400, code: 'invalidRequest' },
  { name: 'a limit that is no number', path: '/api/v1/things/7?limit=many', status: 400, code: 'invalidRequest' },
  { name: 'a parameter given twice', path: '/api/v1/things/7?cursor=a&cursor=b', status: 400, code: 'invalidRequest' },
  { name: 'a made-up cursor', path: '/api/v1/things/7?cursor=abc', status: 400, code: 'invalidCursor' },
  {
    name: 'a cursor of another list',
    path: `/api/v1/things/7?cursor=${encodeCursor({ x: 1 })}`,
    status: 400,
    code: 'invalidCursor',
  },
  { name: 'a cursor of ours', path: `/api/v1/things/7?cursor=${encodeCursor({ n: 1 })}`, status: 200 },
  { name: 'an id that is too long', path: '/api/v1/things/12345678901', status: 400, code: 'invalidRequest' },
  { name: 'encoded slashes and dots', path: '/api/v1/things/..%2f..%2fetc', status: 400, code: 'invalidRequest' },
  { name: 'a broken percent-encoding', path: '/api/v1/things/%E0%A4%A', status: 400, code: 'malformedUrl' },
  { name: 'a path that is not there', path: '/api/v1/nothing', status: 404, code: 'notFound' },
  { name: 'a path above the root', path: '/../../etc/passwd', status: 404, code: 'notFound' },
  { name: 'another case', path: '/API/v1/things/7', status: 404, code: 'notFound' },
  { name: 'an overlong URL', path: `/api/${'x'.repeat(9000)}`, status: 414, code: 'uriTooLong' },
  { name: 'another method', path: '/api/v1/things/7', init: { method: 'PUT' }, status: 405, code: 'methodNotAllowed' },
  { name: 'OPTIONS', path: '/api/v1/things/7', init: { method: 'OPTIONS' }, status: 204 },
  { name: 'HEAD', path: '/api/v1/things/7', init: { method: 'HEAD' }, status: 200 },
  {
    name: 'no body',
    path: '/api/v1/things/7',
    init: { method: 'POST', headers: json },
    status: 400,
    code: 'invalidRequest',
  },
  {
    name: 'broken JSON',
    path: '/api/v1/things/7',
    init: { method: 'POST', headers: json, body: '{"name":' },
    status: 400,
    code: 'malformedJson',
  },
  {
    name: 'JSON of another shape',
    path: '/api/v1/things/7',
    init: { method: 'POST', headers: json, body: '[]' },
    status: 400,
    code: 'invalidRequest',
  },
  {
    name: 'no JSON type',
    path: '/api/v1/things/7',
    init: { method: 'POST', body: '{"name":"x"}' },
    status: 415,
    code: 'unsupportedMediaType',
  },
  {
    name: 'a compressed body',
    path: '/api/v1/things/7',
    init: { method: 'POST', headers: { ...json, 'content-encoding': 'gzip' }, body: 'x' },
    status: 415,
    code: 'unsupportedMediaType',
  },
  {
    name: 'a body past its limit',
    path: '/api/v1/things/7',
    init: { method: 'POST', headers: json, body: JSON.stringify({ name: 'x'.repeat(200) }) },
    status: 413,
    code: 'bodyTooLarge',
  },
  ...(
    [
      ['missing', 404, 'notFound'],
      ['refused', 409, 'thingInUse'],
      ['busy', 503, 'storeBusy'],
      ['broken', 500, 'internal'],
    ] as const
  ).map(([id, status, code]) => ({
    name: `an error of the store or of ours (${id})`,
    path: `/api/v1/things/${id}`,
    init: { method: 'POST', headers: json, body: '{"name":"x"}' },
    status,
    code,
  })),
  {
    name: 'an administrator’s path',
    path: '/api/v1/admin',
    init: { method: 'DELETE' },
    status: 403,
    code: 'forbidden',
  },
];

for (const { name, path, init, status, code } of table) {
  test(`${name} is answered ${status}${code === undefined ? '' : ` ${code}`}`, async () => {
    const response = await fetch(url(path), init);
    const text = await response.text();
    assert.equal(response.status, status, text);
    if (code === undefined) return;
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    const body: unknown = JSON.parse(text);
    assert.ok(typeof body === 'object' && body !== null && 'code' in body && 'status' in body && 'title' in body);
    assert.equal(body.code, code);
    assert.equal(body.status, status);
    assert.doesNotMatch(text, /secret inside/);
  });
}

test('a validation problem names each value that is wrong', async () => {
  const response = await fetch(url('/api/v1/things/7'), { method: 'POST', headers: json, body: '{"name":1}' });
  const body: unknown = await response.json();
  assert.ok(typeof body === 'object' && body !== null && 'errors' in body && Array.isArray(body.errors));
  assert.equal(body.errors[0].path, 'body.name');
});

test('what is not HTTP is answered 400, headers past their limit 431, and the server goes on', async () => {
  assert.match(await raw('EHLO example.test\r\n\r\n'), /^HTTP\/1\.1 400 [^]*malformedRequest/);
  assert.match(
    await raw(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 [^]*headersTooLarge/,
  );
  assert.match(await raw('GET * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'), /^HTTP\/1\.1 40[04] /);
  assert.equal((await fetch(url('/api/v1/things/7'))).status, 200);
});

test('a token needs the scope of the path, and a password needs none', async (t) => {
  t.after(() => {
    caller = alice;
  });
  caller = { ...alice, scopes: ['mail:send'] };
  const response = await fetch(url('/api/v1/things/7'));
  assert.equal(response.status, 403);
  assert.match(await response.text(), /"code":"insufficientScope".*"scope":"mail:read"/);
  caller = { ...alice, scopes: ['mail:read'] };
  assert.equal((await fetch(url('/api/v1/things/7'))).status, 200);
});

test('nothing is looked at before the caller is known', async (t) => {
  t.after(() => {
    caller = alice;
  });
  caller = undefined;
  assert.equal((await fetch(url('/api/v1/things/12345678901?limit=x'))).status, 401);
});

test('a page of another site changes nothing with credentials that the browser keeps', async () => {
  const status = async (method: string, site?: string): Promise<number> => {
    const headers = { ...json, ...(site === undefined ? {} : { 'sec-fetch-site': site }) };
    const init = { method, headers, ...(method === 'POST' ? { body: '{"name":"x"}' } : {}) };
    return (await fetch(url('/api/v1/things/7'), init)).status;
  };
  for (const site of ['cross-site', 'same-site', 'made up']) assert.equal(await status('POST', site), 403, site);
  for (const site of ['same-origin', 'none', undefined]) assert.equal(await status('POST', site), 200, site);
  assert.equal(await status('GET', 'cross-site'), 200);
});

test('answers tell browsers to keep, guess and frame nothing', async () => {
  const { headers } = await fetch(url('/api/v1/things/7'));
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
  assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/);
  assert.equal(headers.get('x-powered-by'), null);
});

test('the document of the API is made from the routes, and the page to browse it brings all it needs', async () => {
  const document: unknown = await (await fetch(url('/api/openapi.json'))).json();
  assert.ok(typeof document === 'object' && document !== null && 'openapi' in document && 'paths' in document);
  assert.equal(document.openapi, '3.1.0');
  assert.deepEqual(Object.keys(document.paths ?? {}), ['/api/v1/things/{id}', '/api/v1/admin']);
  const page = await fetch(url('/api/docs'));
  assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'/);
  assert.doesNotMatch(await page.text(), /https?:\/\//);
  assert.equal((await fetch(url('/api/docs/page.js'))).status, 200);
  assert.equal((await fetch(url('/api/docs/page.css'))).status, 200);
});

test('requests are measured by route pattern, so that paths make no new series', async () => {
  await fetch(url('/api/v1/things/one'));
  await fetch(url('/api/v1/things/two'));
  await fetch(url('/made/up'));
  const text = await metrics.metrics();
  assert.match(text, /waypost_http_request_seconds_count\{method="GET",route="\/api\/v1\/things\/:id",status="200"\}/);
  assert.doesNotMatch(text, /made\/up|things\/one/);
});
