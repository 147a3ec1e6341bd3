import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Zones } from '../../tests/support/dns-server/zones.ts';
import { hosts, net, refusal, routed } from '../../tests/support/routing-net.ts';
import { routes as routesForm } from '../config/forms.ts';
import type { MtaStsPolicies } from './mta-sts/policies.ts';

const tlsa = (hex: string): string => `3 1 1 ${hex.repeat(32)}`;

test('DANE: TLSA records count when MX, address and TLSA answers are all validated, and only then', async () => {
  for (const weak of ['none', 'mx', 'address', 'tlsa'] as const) {
    const entry = (what: string, ...records: string[]): { records: string[]; authentic: boolean } => ({
      records,
      authentic: weak !== what,
    });
    const { to, server } = await net(
      {
        'a.test': { MX: entry('mx', '10 mx.a.test') },
        'mx.a.test': { A: entry('address', '11.0.0.1'), AAAA: entry('address', '2600::1') },
        '_25._tcp.mx.a.test': { TLSA: entry('tlsa', tlsa('0f')) },
      },
      { authentic: true },
    );
    const host = routed(await to('a.test')).hosts[0]!;
    if (weak === 'none') {
      const record = { usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32, 0x0f) };
      const verify = { kind: 'dane', records: [record], names: ['mx.a.test', 'a.test'] };
      assert.deepEqual([host.secure, host.tlsFrom, host.tls], [true, 'dane', { mode: 'required', verify }]);
    } else {
      assert.deepEqual([host.tlsFrom, host.tls.mode], ['default', 'opportunistic'], weak);
      assert.equal(server.asked('_25._tcp.mx.a.test'), weak === 'tlsa' ? 1 : 0);
    }
  }
});

test('DANE: a host whose TLSA look-up fails is not used; records that can’t be used still ask for TLS; an alias is looked up where it leads', async () => {
  const { to } = await net(
    {
      'a.test': { MX: ['10 mx1.a.test', '20 mx2.a.test'] },
      'only.test': { MX: ['10 mx1.a.test'] },
      'alias.test': { MX: ['10 name.test'] },
      'name.test': { CNAME: ['mx3.a.test'] },
      ...hosts('mx1.a.test', 'mx2.a.test', 'mx3.a.test'),
      '_25._tcp.mx1.a.test': { TLSA: 'servfail' },
      '_25._tcp.mx2.a.test': { TLSA: ['1 1 1 00'] },
      '_25._tcp.mx3.a.test': { TLSA: [tlsa('aa')] },
    },
    { authentic: true },
  );
  const [host, ...rest] = routed(await to('a.test')).hosts;
  assert.deepEqual([host?.name, host?.tls, rest], ['mx2.a.test', { mode: 'required', verify: { kind: 'none' } }, []]);
  assert.equal(refusal(await to('only.test')), 'temporary 451 4.4.3');
  const alias = routed(await to('alias.test')).hosts[0]!;
  assert.ok(alias.tls.verify.kind === 'dane');
  assert.deepEqual(alias.tls.verify.names, ['mx3.a.test', 'name.test', 'alias.test']);
});

const policy = (mode: 'enforce' | 'testing', ...mx: string[]): MtaStsPolicies => ({
  policyFor: () => Promise.resolve({ id: 'x1', fetchedAtMs: 0, policy: { mode, mx, maxAgeMs: 1000 } }),
});

test('MTA-STS: enforced, only hosts of the policy are used, with a valid certificate; testing only notes; DANE goes before it', async () => {
  const zones: Zones = { 'a.test': { MX: ['10 mx.a.test', '20 evil.test'] }, ...hosts('mx.a.test', 'evil.test') };
  const { to } = await net(zones);
  const enforced = routed(await to('a.test', { mtaSts: policy('enforce', '*.a.test') }));
  assert.deepEqual(
    [enforced.mtaSts, enforced.hosts.map(({ name, tls, tlsFrom }) => [name, tls, tlsFrom])],
    [
      { mode: 'enforce', id: 'x1' },
      [['mx.a.test', { mode: 'required', verify: { kind: 'name', names: ['mx.a.test'] } }, 'mta-sts']],
    ],
  );
  assert.equal(refusal(await to('a.test', { mtaSts: policy('enforce', 'other.test') })), 'temporary 451 4.7.5');
  const testing = routed(await to('a.test', { mtaSts: policy('testing', 'mx.a.test') }));
  assert.deepEqual(
    testing.hosts.map(({ name, tls }) => [name, tls.mode, tls.verify.kind]),
    [
      ['mx.a.test', 'opportunistic', 'name'],
      ['evil.test', 'opportunistic', 'name'],
    ],
  );
  const secure = await net({ ...zones, '_25._tcp.mx.a.test': { TLSA: [tlsa('01')] } }, { authentic: true });
  assert.equal(routed(await secure.to('a.test', { mtaSts: policy('enforce', 'mx.a.test') })).hosts[0]?.tlsFrom, 'dane');
});

test('REQUIRETLS goes only where DNSSEC or MTA-STS says who takes the mail', async () => {
  const zones: Zones = { 'a.test': { MX: ['10 mx.a.test'] }, ...hosts('mx.a.test') };
  const { to } = await net(zones);
  assert.equal(refusal(await to('a.test', { requireTls: true })), 'permanent 550 5.7.30');
  const sts = await to('a.test', { requireTls: true, mtaSts: policy('enforce', 'mx.a.test') });
  assert.equal(routed(sts).hosts[0]?.tls.mode, 'required');
  const secure = await net(zones, { authentic: true });
  const host = routed(await secure.to('a.test', { requireTls: true })).hosts[0];
  assert.deepEqual([host?.tlsFrom, host?.tls.verify], ['requiretls', { kind: 'name', names: ['mx.a.test'] }]);
  const relay = { routes: routesForm.schema.parse('*=smtp://10.0.0.1:25') };
  assert.equal(refusal(await to('a.test', { requireTls: true }, relay)), 'permanent 550 5.7.10');
});
