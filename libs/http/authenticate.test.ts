import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Registry } from 'prom-client';
import type { Verifier } from '../directory/verifier.ts';
import { createLogger } from '../ops/logger.ts';
import { createAuthenticate } from './authenticate.ts';
import { createHttpBytes } from './http-bytes.ts';
import { mountRoutes } from './mount-routes.ts';
import { defineRoute } from './route.ts';
import { startHttpServer } from './server.ts';
import type { HttpServer } from './server.ts';

const identity = { accountId: 'a', address: 'ü@example.test', admin: false, credentialVersion: 1, scopes: [] };
const seen: string[] = [];

const verifier: Verifier = {
  password: async ({ username, password, remoteAddress }) => {
    seen.push(remoteAddress);
    if (password === 'too often') return { ok: false, reason: 'limited', retryAfterMs: 1500 };
    return username === identity.address && password === 'pass:wörd'
      ? { ok: true, identity }
      : { ok: false, reason: 'invalid' };
  },
  isGood: async () => true,
  token: async ({ token }) => (token === 'wp_good' ? { ok: true, identity } : { ok: false, reason: 'invalid' }),
};

const route = defineRoute({
  method: 'get',
  path: '/me',
  operationId: 'me',
  summary: '',
  tags: [],
  access: 'account',
  replies: {},
  handle: async ({ caller }) => ({ status: 200, body: caller.address }),
});

/** Loopback is a trusted proxy here, so that tests can say where a request comes from. */
let server: HttpServer;
before(async () => {
  const log = createLogger({ level: 'silent', service: 'test' });
  const metrics = new Registry();
  const authenticate = createAuthenticate({
    verifier,
    config: { trustedProxies: ['127.0.0.0/8'], allowPlaintextLogin: false },
  });
  const routers = [mountRoutes([route], { authenticate, log, metrics, bytes: createHttpBytes(metrics) })];
  server = await startHttpServer({ listen: { host: '127.0.0.1', port: 0 }, routers, log, metrics });
});
after(() => server.close(0));

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
const good = basic('ü@example.test:pass:wörd');

const table: readonly { name: string; headers: Record<string, string>; status: number }[] = [
  { name: 'no credentials', headers: {}, status: 401 },
  { name: 'Basic in UTF-8, with a colon in the password', headers: { authorization: good }, status: 200 },
  { name: 'a wrong password', headers: { authorization: basic('ü@example.test:x') }, status: 401 },
  { name: 'Basic without a colon', headers: { authorization: basic('nothing') }, status: 401 },
  { name: 'Basic that is not base64', headers: { authorization: 'Basic ?!' }, status: 401 },
  { name: 'a password of 2,000 characters', headers: { authorization: basic(`a:${'x'.repeat(2000)}`) }, status: 401 },
  { name: 'too many failures', headers: { authorization: basic('a:too often') }, status: 429 },
  { name: 'a token', headers: { authorization: 'Bearer wp_good' }, status: 200 },
  { name: 'another token', headers: { authorization: 'Bearer wp_bad' }, status: 401 },
  { name: 'another scheme', headers: { authorization: 'Digest x' }, status: 401 },
  {
    name: 'a login through a proxy that came without TLS',
    headers: { authorization: good, 'x-forwarded-for': '192.0.2.9', 'x-forwarded-proto': 'http' },
    status: 403,
  },
  {
    name: 'a login through a proxy that came by TLS',
    headers: { authorization: good, 'x-forwarded-for': '192.0.2.9', 'x-forwarded-proto': 'https' },
    status: 200,
  },
];

for (const { name, headers, status } of table) {
  test(`${name}: ${status}`, async () => {
    const response = await fetch(`http://127.0.0.1:${server.address.port}/me`, { headers });
    assert.equal(response.status, status, await response.text());
    if (status === 401)
      assert.match(response.headers.get('www-authenticate') ?? '', /^Basic realm="Waypost", charset="UTF-8"/);
    if (status === 429) assert.equal(response.headers.get('retry-after'), '2');
  });
}

test('the client is the last address that is no proxy of ours: what stands before may be forged', async () => {
  seen.length = 0;
  const headers = {
    authorization: good,
    'x-forwarded-for': '10.9.9.9, 192.0.2.9, 127.0.0.5',
    'x-forwarded-proto': 'https',
  };
  await fetch(`http://127.0.0.1:${server.address.port}/me`, { headers });
  assert.deepEqual(seen, ['192.0.2.9']);
});

test('what a proxy was told instead of an address is not taken for one: the proxy itself stands for its client', async () => {
  for (const [forwarded, client] of [
    ['unknown', '127.0.0.1'],
    ['192.0.2.9, _hidden', '127.0.0.1'],
    ['192.0.2.9, 127.0.0.5, unknown', '127.0.0.1'],
    ['x'.repeat(5000), '127.0.0.1'],
    ['[2001:db8::9]:4711', '2001:db8::9'],
    ['192.0.2.9:4711', '192.0.2.9'],
    ['::ffff:c000:209', '192.0.2.9'],
  ] as const) {
    seen.length = 0;
    const headers = { authorization: good, 'x-forwarded-for': forwarded, 'x-forwarded-proto': 'https' };
    await fetch(`http://127.0.0.1:${server.address.port}/me`, { headers });
    assert.deepEqual(seen, [client], forwarded.slice(0, 50));
  }
});
