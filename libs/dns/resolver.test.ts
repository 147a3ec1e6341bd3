import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Registry } from 'prom-client';
import { type DnsServer, type DnsServerOptions, startDns } from '../../tests/support/dns-server/server.ts';
import type { Fault, Zones } from '../../tests/support/dns-server/zones.ts';
import { createDns, type DnsOptions, type Resolver } from './resolver.ts';

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers) await close();
});

interface Setup {
  server: DnsServer;
  dns: Resolver;
  metrics: Registry;
  /** Lets time pass for the cache. */
  pass: (ms: number) => void;
}

async function setup(zones: Zones, more: Partial<DnsOptions> & { server?: DnsServerOptions } = {}): Promise<Setup> {
  const server = await startDns(zones, more.server);
  let nowMs = 0;
  const metrics = new Registry();
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: () => Promise.resolve() };
  const dns = createDns({ servers: [server], trustAuthentic: false, clock, metrics, limitMs: 3000, ...more });
  closers.push(
    () => dns.close(),
    () => server.close(),
  );
  return { server, dns, metrics, pass: (ms) => void (nowMs += ms) };
}

const both = ['ipv4', 'ipv6'] as const;

test('records of each type come with their TTL, the name they are of, and whether they were validated', async () => {
  const { dns } = await setup(
    {
      'example.test': { MX: { records: ['10 MX1.Example.test', '0 .'], ttlSeconds: 90 }, TXT: ['v=1 é'] },
      'mx1.example.test': { A: ['192.0.2.1'], AAAA: { records: ['2001:db8::1'], authentic: true, ttlSeconds: 20 } },
      '_25._tcp.mx1.example.test': { TLSA: { records: ['3 1 1 00ff'], authentic: true } },
    },
    { server: { authentic: false } },
  );
  assert.deepEqual(await dns.mx('EXAMPLE.test.'), {
    kind: 'found',
    records: [
      { preference: 10, exchange: 'mx1.example.test' },
      { preference: 0, exchange: '' },
    ],
    ttlMs: 90_000,
    secure: false,
    canonicalName: 'example.test',
  });
  assert.deepEqual(await dns.addresses('mx1.example.test', both), {
    kind: 'found',
    records: [
      { family: 'ipv4', address: '192.0.2.1' },
      { family: 'ipv6', address: '2001:db8::1' },
    ],
    ttlMs: 20_000,
    secure: false,
    canonicalName: 'mx1.example.test',
  });
  const tlsa = await dns.tlsa('_25._tcp.mx1.example.test');
  assert.ok(tlsa.kind === 'found' && tlsa.secure);
  assert.deepEqual(tlsa.records, [{ usage: 3, selector: 1, matchingType: 1, data: Buffer.from('00ff', 'hex') }]);
  const txt = await dns.txt('example.test');
  assert.deepEqual(txt.kind === 'found' && txt.records, [Buffer.from('v=1 é').toString('latin1')]);
});

test('that there is nothing is told apart from not knowing', async () => {
  const { dns } = await setup({
    'example.test': { A: ['192.0.2.1'] },
    'broken.test': { MX: 'servfail' },
    'closed.test': { MX: 'refused' },
    'garbage.test': { MX: 'garbage' },
    'cut.test': { MX: { records: ['10 mx.test'], fault: 'cutOff' } },
  });
  assert.deepEqual(await dns.mx('example.test'), {
    kind: 'nodata',
    detail: 'example.test has no MX record',
    ttlMs: 60_000,
    secure: false,
  });
  assert.equal((await dns.mx('nowhere.test')).kind, 'nxdomain');
  assert.equal((await dns.mx('..')).kind, 'nxdomain');
  assert.match(JSON.stringify(await dns.mx('broken.test')), /servfail.*SERVFAIL from 127\.0\.0\.1/);
  assert.equal((await dns.mx('closed.test')).kind, 'refused');
  assert.equal((await dns.mx('garbage.test')).kind, 'servfail');
  assert.equal((await dns.mx('cut.test')).kind, 'servfail');
});

test('a name with addresses of one family only is found; trouble with the other is passed over, but not taken for nothing', async () => {
  const { dns } = await setup({
    'v4.test': { A: ['192.0.2.1'] },
    'half.test': { A: ['192.0.2.1'], AAAA: 'servfail' },
    'unsure.test': { AAAA: 'servfail' },
  });
  assert.equal((await dns.addresses('v4.test', both)).kind, 'found');
  assert.equal((await dns.addresses('v4.test', ['ipv6'])).kind, 'nodata');
  assert.equal((await dns.addresses('half.test', both)).kind, 'found');
  assert.equal((await dns.addresses('unsure.test', both)).kind, 'servfail');
});

test('CNAMEs are followed within a reply and past its end; the least TTL and the worst validation count', async () => {
  for (const chase of [true, false]) {
    const { dns } = await setup(
      {
        'a.test': { CNAME: { records: ['b.test'], ttlSeconds: 10, authentic: false } },
        'b.test': { CNAME: ['c.test'] },
        'c.test': { A: ['192.0.2.1'] },
        'dangling.test': { CNAME: ['nowhere.test'] },
        'empty.test': { CNAME: ['c.test'] },
      },
      { server: { authentic: true, chase } },
    );
    const found = await dns.addresses('a.test', ['ipv4']);
    assert.ok(found.kind === 'found');
    assert.deepEqual([found.ttlMs, found.secure, found.canonicalName], [10_000, false, 'c.test']);
    const whole = await dns.addresses('b.test', ['ipv4']);
    assert.ok(whole.kind === 'found' && whole.secure);
    assert.equal((await dns.mx('dangling.test')).kind, 'nxdomain');
    assert.equal((await dns.mx('empty.test')).kind, 'nodata');
  }
});

test('a CNAME loop and a chain without end are trouble, and end soon', async () => {
  const chain = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`n${i}.test`, { CNAME: [`n${i + 1}.test`] }]));
  for (const chase of [true, false]) {
    const zones: Zones = {
      ...chain,
      'x.test': { CNAME: ['y.test'] },
      'y.test': { CNAME: ['x.test'] },
      'me.test': { CNAME: ['me.test'] },
    };
    const { dns, server } = await setup(zones, { server: { chase } });
    for (const name of ['x.test', 'me.test']) {
      const result = await dns.mx(name);
      assert.ok(result.kind === 'servfail' && /leads back/.test(result.detail));
    }
    const result = await dns.mx('n0.test');
    assert.ok(result.kind === 'servfail' && /8 CNAMEs/.test(result.detail));
    assert.ok(server.queries.length < 20);
  }
});

test('a reply that was cut off is asked for again by TCP', async () => {
  const many = Array.from({ length: 150 }, (_, i) => `${i} mx${i}.example.test`);
  const { dns, server } = await setup({
    'many.test': { MX: { records: many, fault: 'truncated' } },
    'never.test': { MX: 'alwaysTruncated' },
  });
  const result = await dns.mx('many.test');
  assert.ok(result.kind === 'found' && result.records.length === 150);
  assert.deepEqual(
    server.queries.map(({ transport }) => transport),
    ['udp', 'tcp'],
  );
  assert.equal((await dns.mx('never.test')).kind, 'servfail');
});

test('replies with another id or another question are not believed; when they come in crowds, TCP is asked', async () => {
  const record = (fault: Fault): Zones[string] => ({ A: { records: ['192.0.2.66'], fault } });
  const { dns, server, metrics } = await setup(
    { 'id.test': record('wrongId'), 'question.test': record('wrongQuestion'), 'guesses.test': record('guesses') },
    { limitMs: 300 },
  );
  assert.equal((await dns.addresses('id.test', ['ipv4'])).kind, 'timeout');
  assert.equal((await dns.addresses('question.test', ['ipv4'])).kind, 'timeout');
  assert.equal((await dns.addresses('guesses.test', ['ipv4'])).kind, 'found');
  assert.deepEqual(server.queries.at(-1)?.transport, 'tcp');
  assert.match(await metrics.metrics(), /waypost_dns_stray_replies_total 1\d/);
});

test('a server that knows no EDNS is asked without', async () => {
  const { dns, server } = await setup({ 'old.test': { A: { records: ['192.0.2.1'], fault: 'noEdns' } } });
  assert.equal((await dns.addresses('old.test', ['ipv4'])).kind, 'found');
  assert.deepEqual(
    server.queries.map(({ edns }) => edns),
    [true, false],
  );
});

test('silence is a timeout within the limit; another server that answers is used, and asked first from then on', async () => {
  const good = await startDns({
    'a.test': { A: ['192.0.2.1'] },
    'b.test': { A: ['192.0.2.1'] },
    'silent.test': { A: 'drop' },
  });
  closers.push(() => good.close());
  const gone = await startDns();
  await gone.close();
  const refuses = await startDns({ '*': { A: 'refused' } });
  closers.push(() => refuses.close());
  const { dns } = await setup({}, { servers: [gone, refuses, good], limitMs: 400 });
  assert.equal((await dns.addresses('a.test', ['ipv4'])).kind, 'found');
  assert.equal(refuses.queries.length, 1);
  assert.equal((await dns.addresses('b.test', ['ipv4'])).kind, 'found');
  assert.equal(refuses.queries.length, 1);
  const startedMs = performance.now();
  const silent = await dns.addresses('silent.test', ['ipv4']);
  assert.equal(silent.kind, 'timeout');
  assert.ok(performance.now() - startedMs < 1500);
});

test('an answer is used for its TTL, at least a second; that there is nothing for the minimum of the SOA, at most 5 minutes', async () => {
  const { dns, server, pass } = await setup(
    {
      'a.test': { A: { records: ['192.0.2.1'], ttlSeconds: 60 } },
      'zero.test': { A: { records: ['192.0.2.1'], ttlSeconds: 0 } },
    },
    { server: { negativeTtl: 100_000 } },
  );
  const ask = (name: string): ReturnType<Resolver['addresses']> => dns.addresses(name, ['ipv4']);
  await ask('a.test');
  pass(59_000);
  assert.equal((await ask('A.TEST.')).ttlMs, 1000);
  assert.equal(server.asked('a.test'), 1);
  pass(1000);
  await ask('a.test');
  assert.equal(server.asked('a.test'), 2);
  assert.equal((await ask('zero.test')).ttlMs, 1000);
  await ask('zero.test');
  assert.equal(server.asked('zero.test'), 1);
  await ask('nowhere.test');
  pass(299_000);
  await ask('nowhere.test');
  assert.equal(server.asked('nowhere.test'), 1);
  pass(1000);
  await ask('nowhere.test');
  assert.equal(server.asked('nowhere.test'), 2);
});

test('equal questions at the same time are asked once; one who gives up takes nothing from the others', async () => {
  const { dns, server, metrics } = await setup({ 'slow.test': { MX: { records: ['10 mx.test'], delayMs: 100 } } });
  const giveUp = new AbortController();
  const asked = Array.from({ length: 20 }, () => dns.mx('slow.test'));
  const given = dns.mx('slow.test', { signal: giveUp.signal });
  giveUp.abort(new Error('enough'));
  await assert.rejects(given, /enough/);
  for (const result of await Promise.all(asked)) assert.equal(result.kind, 'found');
  assert.equal(server.queries.length, 1);
  assert.match(await metrics.metrics(), /waypost_dns_lookups_total\{result="joined"\} 20/);
});

test('while the servers are away an old answer is used for an hour, but never one that was validated', async () => {
  const { dns, server, pass } = await setup({
    'plain.test': { A: { records: ['192.0.2.1'], ttlSeconds: 60 } },
    'signed.test': { A: { records: ['192.0.2.1'], ttlSeconds: 60, authentic: true } },
  });
  const ask = async (name: string): Promise<string> => (await dns.addresses(name, ['ipv4'])).kind;
  await Promise.all([ask('plain.test'), ask('signed.test')]);
  for (const name of ['plain.test', 'signed.test']) server.set(name, '*', 'servfail');
  pass(61_000);
  assert.equal(await ask('plain.test'), 'found');
  assert.equal(await ask('signed.test'), 'servfail');
  const queries = server.asked('plain.test');
  pass(29_000);
  assert.equal(await ask('plain.test'), 'found');
  assert.equal(server.asked('plain.test'), queries);
  pass(3_600_000);
  assert.equal(await ask('plain.test'), 'servfail');
  server.set('plain.test', '*', undefined);
  pass(5_000);
  assert.equal(await ask('plain.test'), 'nxdomain');
});

test('the AD flag is believed on loopback only, unless the way to the server is said to be safe', async () => {
  const server = await startDns({ 'a.test': { A: ['192.0.2.1'] } }, { authentic: true });
  closers.push(() => server.close());
  const elsewhere = { host: '192.0.2.53', port: 53 };
  const secure = async (servers: DnsOptions['servers'], trustAuthentic: boolean): Promise<boolean> => {
    const { dns } = await setup({}, { servers, trustAuthentic });
    const result = await dns.addresses('a.test', ['ipv4']);
    return result.kind === 'found' && result.secure;
  };
  assert.equal(await secure([server], false), true);
  assert.equal(await secure([server, elsewhere], false), false);
  assert.equal(await secure([server, elsewhere], true), true);
  assert.deepEqual(
    server.queries.map(({ dnssec }) => dnssec),
    [true, false, true],
  );
});

test('the cache keeps to its cap, and what is shown of it is true', async () => {
  const { dns, metrics } = await setup({ '*': { A: ['192.0.2.1'] } }, { maxEntries: 10 });
  await Promise.all(Array.from({ length: 300 }, (_, i) => dns.addresses(`n${i}.test`, ['ipv4'])));
  const text = await metrics.metrics();
  assert.match(text, /waypost_dns_cache_entries 10\n/);
  assert.match(text, /waypost_dns_cache_bytes [1-9]\d{3}\n/);
  assert.match(text, /waypost_dns_lookups_underway 0\n/);
  assert.match(text, /waypost_dns_lookups_total\{result="miss"\} 300/);
});

test('after the end nothing is asked any more', async () => {
  const { dns } = await setup({ 'silent.test': { MX: 'drop' } });
  const asked = dns.mx('silent.test');
  dns.close();
  assert.equal((await asked).kind, 'timeout');
  assert.equal((await dns.mx('other.test')).kind, 'timeout');
});
