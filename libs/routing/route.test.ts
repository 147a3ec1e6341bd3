import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hosts, names, net, refusal, routed } from '../../tests/support/routing-net.ts';
import { routes as routesForm } from '../config/forms.ts';
import { addressOrder } from './ip-preference.ts';
import { loginOfRoute } from './operator-route.ts';
import type { Routed } from './result.ts';

test('B10: mail hosts come in the order of their preference, equal ones in any', async () => {
  const { to } = await net({
    'a.test': { MX: ['20 late.test', '10 one.test', '10 two.test', '5 first.test', '30 one.test'] },
    ...hosts('first.test', 'one.test', 'two.test', 'late.test'),
  });
  const seen = new Set<string>();
  for (const key of [0.1, 0.9]) {
    const keys = [0.5, key, 0.5, 0.5];
    const random = (): number => keys.shift() ?? 0.5;
    seen.add(names(await to('A.test', { random })).join(' '));
  }
  assert.deepEqual([...seen].toSorted(), [
    'first.test one.test two.test late.test',
    'first.test two.test one.test late.test',
  ]);
});

test('B10: without MX the domain itself is the host', async () => {
  const { to } = await net({ 'a.test': { A: ['11.0.0.1'], AAAA: ['2600::1'] }, 'alias.test': { CNAME: ['a.test'] } });
  const result = routed(await to('a.test'));
  assert.equal(result.via, 'address');
  assert.deepEqual(result.hosts, [
    {
      name: 'a.test',
      addresses: [
        { family: 'ipv4', address: '11.0.0.1' },
        { family: 'ipv6', address: '2600::1' },
      ],
      port: 25,
      preference: 0,
      protocol: 'smtp',
      group: 'a.test',
      secure: false,
      tls: { mode: 'opportunistic', verify: { kind: 'none' } },
      tlsFrom: 'default',
    },
  ]);
  assert.deepEqual(names(await to('alias.test')), ['alias.test']);
});

test('B10: a null MX is a bounce at once, and its addresses are not asked for', async () => {
  const { to, server } = await net({ 'none.test': { MX: ['0 .'], A: ['11.0.0.1'] } });
  assert.equal(refusal(await to('none.test')), 'permanent 556 5.1.10');
  assert.equal(server.asked('none.test', 'A'), 0);
});

test('B10: a null MX beside others is passed over', async () => {
  const { to } = await net({ 'odd.test': { MX: ['0 .', '10 mx.test'] }, ...hosts('mx.test') });
  assert.deepEqual(names(await to('odd.test')), ['mx.test']);
});

test('what is known not to be bounces; what isn’t known waits', async () => {
  const { to } = await net({
    'broken.test': { MX: 'servfail' },
    'closed.test': { MX: 'refused' },
    'silent.test': { MX: 'drop' },
    'circle.test': { MX: { records: [] }, CNAME: ['circle.test'] },
    'loop.test': { CNAME: ['back.test'] },
    'back.test': { CNAME: ['loop.test'] },
    'text.test': { TXT: ['no mail'] },
    'dangling.test': { MX: ['10 nowhere.test', '20 text.test', '30 1.2.3.4'] },
    'unsure.test': { MX: ['10 nowhere.test', '20 trouble.test'] },
    'trouble.test': { A: 'servfail', AAAA: 'servfail' },
  });
  assert.equal(refusal(await to('nowhere.test')), 'permanent 550 5.1.2');
  assert.equal(refusal(await to('text.test')), 'permanent 550 5.4.4');
  assert.equal(refusal(await to('dangling.test')), 'permanent 550 5.4.4');
  assert.equal(refusal(await to('not a domain')), 'permanent 550 5.1.2');
  for (const name of ['broken.test', 'closed.test', 'silent.test', 'loop.test', 'unsure.test'])
    assert.equal(refusal(await to(name)), 'temporary 451 4.4.3', name);
});

test('a mail host that does not resolve is passed over; one that is an alias is followed', async () => {
  const { to } = await net({
    'a.test': { MX: ['10 nowhere.test', '15 trouble.test', '20 alias.test'] },
    'trouble.test': { A: 'servfail', AAAA: 'servfail' },
    'alias.test': { CNAME: ['real.test'] },
    ...hosts('real.test'),
  });
  const result = routed(await to('a.test'));
  assert.deepEqual(
    result.hosts.map(({ name, addresses }) => [name, addresses[0]?.address]),
    [['alias.test', '11.0.0.1']],
  );
});

test('our own host in the list goes with all that are no better; when none is left it is a loop', async () => {
  const { to } = await net({
    'backup.test': { MX: ['10 best.test', '20 MAIL.here.test', '20 equal.test', '30 worse.test'] },
    'ours.test': { MX: ['10 mail.here.test', '20 worse.test'] },
    'byaddress.test': { MX: ['10 equal.test', '20 worse.test'] },
    'mail.here.test': { A: ['11.9.9.9'] },
    ...hosts('best.test', 'equal.test', 'worse.test'),
  });
  assert.deepEqual(names(await to('backup.test')), ['best.test']);
  assert.equal(refusal(await to('ours.test')), 'permanent 554 5.4.6');
  assert.equal(refusal(await to('mail.here.test')), 'permanent 554 5.4.6');
  assert.equal(refusal(await to('byaddress.test', {}, { ownAddresses: ['11.0.0.2'] })), 'permanent 554 5.4.6');
  assert.deepEqual(names(await to('backup.test', {}, { ownNames: [], ownAddresses: ['11.0.0.3'] })).toSorted(), [
    'best.test',
    'equal.test',
    'mail.here.test',
  ]);
});

test('mail hosts at loopback or private addresses are refused, unless they are allowed', async () => {
  const { to } = await net({
    'inside.test': { MX: ['10 localhost.test', '20 private.test'] },
    'mixed.test': { MX: ['10 private.test', '20 both.test'] },
    'localhost.test': { A: ['127.0.0.1'], AAAA: ['::1'] },
    'private.test': { A: ['10.0.0.1', '169.254.169.254'], AAAA: ['fd00:ec2::254', '::ffff:192.168.0.1'] },
    'both.test': { A: ['192.168.0.1', '11.0.0.1'] },
  });
  assert.equal(refusal(await to('inside.test')), 'permanent 550 5.4.4');
  const [host, ...rest] = routed(await to('mixed.test')).hosts;
  assert.deepEqual([host?.addresses, rest], [[{ family: 'ipv4', address: '11.0.0.1' }], []]);
  assert.deepEqual(names(await to('inside.test', {}, { allowPrivateDestinations: true })), [
    'localhost.test',
    'private.test',
  ]);
});

test('address literals are refused unless they are allowed, and private ones unless those are too', async () => {
  const { to, server } = await net({});
  for (const literal of ['[11.0.0.1]', '[IPv6:2600::1]', '[x]'])
    assert.equal(refusal(await to(literal)), 'permanent 550 5.1.2');
  const allowed = { allowAddressLiterals: true };
  assert.equal(refusal(await to('[10.0.0.1]', {}, allowed)), 'permanent 550 5.1.2');
  const v4 = routed(await to('[11.0.0.1]', {}, allowed));
  assert.deepEqual([v4.via, v4.hosts[0]?.name, v4.hosts[0]?.group], ['literal', '11.0.0.1', '11.0.0.0/24']);
  const v6 = routed(await to('[IPv6:2600:1:2:3::1]', {}, allowed));
  assert.deepEqual([v6.hosts[0]?.addresses[0]?.family, v6.hosts[0]?.group], ['ipv6', '2600:1:2::/48']);
  assert.equal(server.queries.length, 0);
});

test('families of addresses: in turn, one first, or one alone', async () => {
  const { to } = await net({
    'a.test': { A: ['11.0.0.1', '11.0.0.2', '11.0.0.3'], AAAA: ['2600::1', '2600::2'] },
    'v6.test': { AAAA: ['2600::1'] },
  });
  const order = async (chosen: ReturnType<typeof addressOrder>, name = 'a.test'): Promise<string> =>
    routed(await to(name, {}, { addressOrder: chosen }))
      .hosts[0]!.addresses.map(({ address }) => address)
      .join(' ');
  assert.equal(await order(addressOrder('auto', () => true)), '2600::1 11.0.0.1 2600::2 11.0.0.2 11.0.0.3');
  assert.equal(await order(addressOrder('auto', () => false)), '11.0.0.1 11.0.0.2 11.0.0.3 2600::1 2600::2');
  assert.equal(await order(addressOrder('ipv6-first')), '2600::1 2600::2 11.0.0.1 11.0.0.2 11.0.0.3');
  assert.equal(await order(addressOrder('ipv4-only')), '11.0.0.1 11.0.0.2 11.0.0.3');
  assert.equal(
    await order(
      addressOrder('auto', () => false),
      'v6.test',
    ),
    '2600::1',
  );
  assert.equal(refusal(await to('v6.test', {}, { addressOrder: addressOrder('ipv4-only') })), 'temporary 451 4.4.4');
});

test('the TTL of a route is the least of all that it was made from', async () => {
  const { to } = await net({
    'a.test': { MX: { records: ['10 one.test', '20 two.test'], ttlSeconds: 500 } },
    'one.test': { A: { records: ['11.0.0.1'], ttlSeconds: 40 } },
    'two.test': { A: ['11.0.0.2'] },
  });
  const { ttlMs } = routed(await to('a.test'));
  assert.ok(ttlMs > 35_000 && ttlMs <= 40_000, String(ttlMs));
});

test('a domain with a thousand mail hosts costs no more than twenty of them', async () => {
  const many = Array.from({ length: 1000 }, (_, i) => `${i} mx${i}.many.test`);
  const { to, server } = await net({
    'many.test': { MX: { records: many, fault: 'truncated' } },
    '*': { A: ['11.0.0.1'] },
  });
  assert.equal(names(await to('many.test')).length, 20);
  assert.ok(server.queries.length <= 2 + 2 * 20);
});

test('an operator’s route goes by domain, then sender, then for all; its host may be private, and its login is in no result', async () => {
  const read = routesForm.schema.parse(
    'a.test=smtp://relay.here.test:2525,from:ann@here.test=smtps://u:secret@10.0.0.9:465,from:here.test=lmtp://[::1]:24,*=smtp://user:hidden@smart.test:587',
  );
  const { to } = await net({ 'relay.here.test': { A: ['10.1.1.1'] }, ...hosts('smart.test') });
  const by = async (destination: string, sender?: string): Promise<Routed> =>
    routed(await to(destination, sender === undefined ? {} : { sender }, { routes: read }));
  const domain = await by('A.test', 'ann@here.test');
  assert.deepEqual(
    [
      domain.route,
      domain.hosts[0]?.port,
      domain.hosts[0]?.group,
      domain.hosts[0]?.addresses[0]?.address,
      domain.hosts[0]?.tls.mode,
    ],
    ['a.test', 2525, 'relay.here.test:2525', '10.1.1.1', 'opportunistic'],
  );
  const sender = await by('b.test', 'Ann@HERE.test');
  assert.deepEqual(
    [sender.route, sender.hosts[0]?.tls],
    ['from:ann@here.test', { mode: 'implicit', verify: { kind: 'name', names: ['10.0.0.9'] } }],
  );
  const ofDomain = await by('b.test', 'bob@here.test');
  assert.deepEqual(
    [ofDomain.route, ofDomain.hosts[0]?.protocol, ofDomain.hosts[0]?.group],
    ['from:here.test', 'lmtp', '[::1]:24'],
  );
  const all = await by('[11.0.0.1]', '');
  assert.deepEqual(
    [all.route, all.hosts[0]?.tls],
    ['*', { mode: 'required', verify: { kind: 'name', names: ['smart.test'] } }],
  );
  assert.doesNotMatch(JSON.stringify([domain, sender, ofDomain, all]), /secret|hidden/);
  assert.deepEqual(loginOfRoute(read, 'from:ann@here.test'), { user: 'u', password: 'secret' });
  assert.equal(loginOfRoute(read, 'a.test'), undefined);
});

test('a route says how far TLS goes; a host of a route that can’t be found is a matter of waiting', async () => {
  const { to } = await net({});
  const tlsOf = async (text: string): Promise<unknown> =>
    routed(await to('a.test', {}, { routes: routesForm.schema.parse(`*=${text}`) })).hosts[0]?.tls;
  assert.deepEqual(await tlsOf('smtp://10.0.0.1:25?tls=never'), { mode: 'never', verify: { kind: 'none' } });
  assert.deepEqual(await tlsOf('smtp://u:p@10.0.0.1:25?tls=required'), { mode: 'required', verify: { kind: 'none' } });
  assert.deepEqual(await tlsOf('smtps://10.0.0.1:465?tls=required'), { mode: 'implicit', verify: { kind: 'none' } });
  assert.deepEqual(await tlsOf('smtp://u:p@127.0.0.1:25'), { mode: 'opportunistic', verify: { kind: 'none' } });
  assert.deepEqual(await tlsOf('smtp://localhost:25?tls=verified'), {
    mode: 'required',
    verify: { kind: 'name', names: ['localhost'] },
  });
  const gone = routesForm.schema.parse('*=smtp://nowhere.test:25');
  assert.equal(refusal(await to('a.test', {}, { routes: gone })), 'temporary 451 4.4.4');
});

test('who gives up is heard at once', async () => {
  const { to } = await net({ 'silent.test': { MX: 'drop' } });
  const giveUp = new AbortController();
  const asked = to('silent.test', { signal: giveUp.signal });
  giveUp.abort(new Error('enough'));
  await assert.rejects(asked, /enough/);
});
