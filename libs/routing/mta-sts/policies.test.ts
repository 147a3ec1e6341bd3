import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:https';
import { after, test } from 'node:test';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Registry } from 'prom-client';
import { type DnsServer, startDns } from '../../../tests/support/dns-server/server.ts';
import { authority, selfSigned } from '../../../tests/support/smtp-sink/certificates.ts';
import { createDns, type Resolver } from '../../dns/resolver.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createPolicyFetch, type PolicyFetchOptions, PolicyFetchFailed } from './fetch.ts';
import { createMtaStsPolicies, type MtaStsPolicies } from './policies.ts';
import { memoryMtaStsStore } from './store.ts';

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers) await close();
});
const never = new AbortController().signal;
const root = authority();

async function resolverOf(server: DnsServer): Promise<Resolver> {
  const dns = createDns({
    servers: [server],
    trustAuthentic: false,
    clock: systemClock,
    metrics: new Registry(),
    limitMs: 1000,
  });
  closers.push(
    () => dns.close(),
    () => server.close(),
  );
  return dns;
}

const text = (mode = 'enforce', age = 604_800): string =>
  `version: STSv1\nmode: ${mode}\nmx: mx.a.test\nmax_age: ${age}\n`;

interface Site {
  fetch: (domain?: string, more?: Partial<PolicyFetchOptions>, signal?: AbortSignal) => Promise<string>;
  requests: string[];
}

/** A web server at mta-sts.a.test, with a certificate for just that name unless told else. */
async function site(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  pair = root.issue(['mta-sts.a.test']),
): Promise<Site> {
  const requests: string[] = [];
  const server: Server = createServer(pair, (request, response) => {
    requests.push(`${request.headers.host?.split(':')[0]} ${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const dns = await resolverOf(
    await startDns({ 'mta-sts.a.test': { A: ['127.0.0.1'] }, 'mta-sts.b.test': { A: ['127.0.0.1'] } }),
  );
  const bound = server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
  return {
    requests,
    fetch: (domain = 'a.test', more = {}, signal = never) =>
      createPolicyFetch({ dns, allowPrivateDestinations: true, port, ca: root.ca, ...more })(domain, signal),
  };
}

const plain =
  (body: string, status = 200, type = 'text/plain; charset=utf-8') =>
  (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': type, location: 'https://mta-sts.a.test/elsewhere' }).end(body);
  };

test('a policy is fetched from its well-known place', async () => {
  const { fetch, requests } = await site(plain(text()));
  assert.equal(await fetch(), text());
  assert.deepEqual(requests, ['mta-sts.a.test /.well-known/mta-sts.txt']);
});

test('a policy of a server at a private address is not asked for', async () => {
  const { fetch, requests } = await site(plain(text()));
  await assert.rejects(fetch('a.test', { allowPrivateDestinations: false }), PolicyFetchFailed);
  assert.equal(requests.length, 0);
});

const refused: [string, (request: IncomingMessage, response: ServerResponse) => void][] = [
  ['a redirect', plain('', 301)],
  ['404', plain(text(), 404)],
  ['another type', plain(text(), 200, 'text/html')],
  ['more than 64 KiB', plain('x'.repeat(70_000))],
  [
    'endless bytes',
    (_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const timer = setInterval(() => response.write('x'.repeat(20_000)), 1);
      response.on('close', () => clearInterval(timer));
    },
  ],
  ['a connection that breaks', (request) => void request.socket.destroy()],
  [
    'a body that breaks off',
    (request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 100 });
      response.write('version: STSv1\n', () => request.socket.destroy());
    },
  ],
];

for (const [what, answer] of refused) {
  test(`no policy from ${what}`, async () => {
    const { fetch, requests } = await site(answer);
    await assert.rejects(fetch(), PolicyFetchFailed);
    assert.equal(requests.length, 1);
  });
}

test('no policy with a certificate for another name, or of nobody', async () => {
  const { fetch } = await site(plain(text()));
  await assert.rejects(fetch('b.test'), PolicyFetchFailed);
  const own = await site(plain(text()), selfSigned(['mta-sts.a.test']));
  await assert.rejects(own.fetch(), PolicyFetchFailed);
});

test('a silent server is given up; who stops waiting stops at once', async () => {
  const { fetch } = await site(() => undefined);
  await assert.rejects(fetch('a.test', { limitMs: 100 }), /took too long/);
  const giveUp = new AbortController();
  const asked = fetch('a.test', {}, giveUp.signal);
  giveUp.abort(new Error('enough'));
  await assert.rejects(asked);
});

test('a name without addresses has no policy to fetch', async () => {
  const { fetch } = await site(plain(text()));
  await assert.rejects(fetch('c.test'), PolicyFetchFailed);
});

interface Cached {
  policies: MtaStsPolicies;
  /** What the next fetches bring; undefined fails. */
  published: { text: string | undefined };
  fetched: () => number;
  /** Sets the TXT record, and lets `ms` pass. */
  step: (ms: number, id: string | undefined | 'servfail') => Promise<string | undefined>;
}

async function cached(): Promise<Cached> {
  const server = await startDns();
  const dns = await resolverOf(server);
  let nowMs = 0;
  let count = 0;
  const published: Cached['published'] = { text: text() };
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: () => Promise.resolve() };
  const metrics = new Registry();
  const policies = createMtaStsPolicies({
    dns,
    clock,
    metrics,
    store: memoryMtaStsStore({ metrics }),
    fetch: async (domain) => {
      count += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (published.text === undefined) throw new PolicyFetchFailed(domain, 'for the test');
      return published.text;
    },
  });
  const step: Cached['step'] = async (ms, id) => {
    nowMs += ms;
    dns.clear();
    const entry = id === 'servfail' ? id : id === undefined ? undefined : [`v=STSv1; id=${id};`];
    server.set('_mta-sts.a.test', 'TXT', entry);
    const stored = await policies.policyFor('a.test', never);
    return stored && `${stored.id} ${stored.policy.mode}`;
  };
  return { policies, published, fetched: () => count, step };
}

const day = 86_400_000;

test('a policy is kept as long as its id stays, fetched anew when it changes or after a day, and stays while that fails', async () => {
  const { step, fetched, published } = await cached();
  assert.equal(await step(0, 'one'), 'one enforce');
  assert.equal(await step(day / 2, 'one'), 'one enforce');
  assert.equal(fetched(), 1);
  published.text = text('testing');
  assert.equal(await step(1000, 'two'), 'two testing');
  published.text = undefined;
  assert.equal(await step(1000, 'three'), 'two testing');
  assert.equal(await step(1000, 'three'), 'two testing');
  assert.equal(fetched(), 3);
  published.text = text();
  assert.equal(await step(300_000, 'three'), 'three enforce');
  assert.equal(await step(day, 'three'), 'three enforce');
  assert.equal(fetched(), 5);
});

test('a policy stays in force to the end of its age though its record is gone or can’t be asked for; mode none ends it', async () => {
  const { step, published } = await cached();
  assert.equal(await step(0, 'one'), 'one enforce');
  assert.equal(await step(day, undefined), 'one enforce');
  assert.equal(await step(day, 'servfail'), 'one enforce');
  assert.equal(await step(5 * day, undefined), undefined);
  assert.equal(await step(0, 'two'), 'two enforce');
  published.text = text('none');
  assert.equal(await step(0, 'three'), undefined);
  assert.equal(await step(1000, undefined), undefined);
});

test('without a record nothing is fetched; a policy that isn’t one is none, and not asked for again at once', async () => {
  const { step, fetched, published } = await cached();
  assert.equal(await step(0, undefined), undefined);
  assert.equal(fetched(), 0);
  published.text = '<html>';
  assert.equal(await step(0, 'one'), undefined);
  assert.equal(await step(60_000, 'one'), undefined);
  assert.equal(fetched(), 1);
});

test('who asks at the same time shares one fetch', async () => {
  const { step, policies, fetched } = await cached();
  await step(0, undefined);
  const all = [step(10_000, 'one'), ...Array.from({ length: 10 }, () => policies.policyFor('a.test', never))];
  await Promise.all(all);
  assert.equal(fetched(), 1);
});

test('the store in memory keeps to its cap', async () => {
  const metrics = new Registry();
  const store = memoryMtaStsStore({ metrics, maxEntries: 3 });
  const stored = { id: 'a', fetchedAtMs: 0, policy: { mode: 'enforce' as const, mx: ['a.test'], maxAgeMs: 1 } };
  for (let i = 0; i < 10; i++) {
    await store.put(`n${i}.test`, stored);
    await store.get('n0.test');
  }
  assert.ok((await store.get('n0.test')) !== undefined && (await store.get('n9.test')) !== undefined);
  assert.equal(await store.get('n5.test'), undefined);
  assert.match(await metrics.metrics(), /waypost_mta_sts_policies 3\n/);
});
