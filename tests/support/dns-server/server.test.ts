import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { test } from 'node:test';
import { startDns } from './server.ts';

test('a resolver that is not ours (c-ares) reads the same from the tests’ name server', async (t) => {
  const server = await startDns({
    'example.test': { MX: ['10 mx1.example.test', '0 .'], TXT: ['v=STSv1; id=1;', 'x'.repeat(700)] },
    'mx1.example.test': { A: { records: ['192.0.2.1', '192.0.2.2'], ttlSeconds: 77 }, AAAA: ['2001:db8::1:0:2'] },
    'alias.test': { CNAME: ['mx1.example.test'] },
    '_25._tcp.mx1.example.test': { TLSA: ['3 1 1 00ff'] },
    'broken.test': { A: 'servfail' },
  });
  t.after(() => server.close());
  const resolver = new Resolver({ tries: 1, timeout: 2000 });
  resolver.setServers([server.address]);
  const mx = await resolver.resolveMx('example.test');
  assert.deepEqual(
    mx.map(({ priority, exchange }) => `${priority} ${exchange}`),
    ['10 mx1.example.test', '0 '],
  );
  assert.deepEqual(
    (await resolver.resolveTxt('example.test')).map((parts) => parts.join('').length),
    [14, 700],
  );
  assert.deepEqual(await resolver.resolve4('alias.test', { ttl: true }), [
    { address: '192.0.2.1', ttl: 77 },
    { address: '192.0.2.2', ttl: 77 },
  ]);
  assert.deepEqual(await resolver.resolve6('mx1.example.test'), ['2001:db8::1:0:2']);
  const [tlsa] = await resolver.resolveTlsa('_25._tcp.mx1.example.test');
  assert.deepEqual(
    [tlsa!.certUsage, tlsa!.selector, tlsa!.match, Buffer.from(tlsa!.data).toString('hex')],
    [3, 1, 1, '00ff'],
  );
  await assert.rejects(resolver.resolve4('broken.test'), { code: 'ESERVFAIL' });
  await assert.rejects(resolver.resolve4('nowhere.test'), { code: 'ENOTFOUND' });
  await assert.rejects(resolver.resolve4('example.test'), { code: 'ENODATA' });
  assert.equal(server.asked('broken.test', 'A'), 1);
});
