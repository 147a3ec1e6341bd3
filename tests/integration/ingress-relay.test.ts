import assert from 'node:assert/strict';
import test from 'node:test';
import { openIngress } from './ingress-fixture.ts';

const message = 'From: alice@example.test\r\nSubject: hello\r\n\r\nHello.\r\n';

test('a user who has logged in sends to other domains, each recipient with its own answer; the rows wait in the queue', async (t) => {
  const { aliceSession, stored, auth } = await openIngress(t, {
    env: { WAYPOST_ROUTES: 'intranet=smtp://127.0.0.1:2599' },
  });
  const client = await aliceSession();
  const answers: [string, RegExp][] = [
    ['friend@Far.Test', /^250 2\.1\.5 /],
    ['friend@far.test', /^250 2\.1\.5 /],
    ['someone@intranet', /^250 2\.1\.5 /],
    ['bob@example.test', /^250 2\.1\.5 /],
    ['nobody@example.test', /^550 5\.1\.1 /],
    ['x@[192.0.2.1]', /^550 5\.1\.2 .*literal/],
    ['x@[IPv6:2001:db8::1]', /^550 5\.1\.2 .*literal/],
    ['x@printer', /^550 5\.1\.2 .*no dot/],
    ['x@some.invalid', /^550 5\.1\.2 /],
    ['x@', /^501 5\.1\.3 /],
    ['x@far..test', /^501 5\.1\.3 /],
    ['x@-far.test', /^501 5\.1\.3 /],
    [`x@${'a.'.repeat(130)}test`, /^501 5\.1\.3 /],
    ['x@1.2.3.4', /^501 5\.1\.3 /],
  ];
  await client.command('MAIL FROM:<alice@example.test>');
  for (const [address, expected] of answers)
    assert.match((await client.command(`RCPT TO:<${address}>`)).text, expected, address);
  await client.command('DATA');
  client.write(`${message}.\r\n`);
  const kept = await stored(await client.reply());
  const rows = await auth.store.deliveries.ofMessage(kept.messageId);
  assert.deepEqual(
    rows.map(({ kind, recipient, destination, state }) => [kind, recipient, kind === 'remote' && destination, state]),
    [
      ['remote', 'friend@Far.Test', 'far.test', 'queued'],
      ['remote', 'someone@intranet', 'intranet', 'queued'],
      ['inbox', 'bob@example.test', false, 'queued'],
    ],
  );
  assert.ok(rows.every((row) => row.reversePath === undefined && row.sender === 'alice@example.test'));
});

test('the domain of a recipient beyond ASCII is queued as A-labels', async (t) => {
  const { aliceSession, stored } = await openIngress(t);
  const client = await aliceSession();
  await client.command('MAIL FROM:<alice@example.test> SMTPUTF8');
  const rcpt = await client.command(Buffer.from('RCPT TO:<jörg@BÜCHER.test>').toString('latin1'));
  assert.equal(rcpt.code, 250);
  await client.command('DATA');
  client.write(`${message}.\r\n`);
  const { targets } = await stored(await client.reply());
  assert.deepEqual(
    targets.map(({ recipient, destination }) => [recipient, destination]),
    [['jörg@BÜCHER.test', 'xn--bcher-kva.test']],
  );
});

test('a trusted network relays through the MX listener, for any sender; LMTP never does', async (t) => {
  const { session, stored } = await openIngress(t, { env: { WAYPOST_TRUSTED_NETWORKS: '127.0.0.0/8' } });
  const mx = await session('mx');
  const { rcpt, final } = await mx.send('anyone@elsewhere.test', ['friend@far.test', 'x@[192.0.2.1]'], message);
  assert.deepEqual(
    rcpt.map(({ code }) => code),
    [250, 550],
  );
  const kept = await stored(final);
  assert.equal(kept.envelope.reversePath, 'anyone@elsewhere.test');
  assert.equal(kept.targets[0]?.reversePath, undefined);
  const lmtp = await session('lmtp');
  await lmtp.command('MAIL FROM:<anyone@elsewhere.test>');
  assert.match((await lmtp.command('RCPT TO:<friend@far.test>')).text, /^550 5\.7\.1 Relaying denied/);
});

test('nobody else relays, not by tricks with the address either', async (t) => {
  const { session } = await openIngress(t, { env: { WAYPOST_TRUSTED_NETWORKS: '192.0.2.0/24' } });
  const client = await session('mx');
  await client.command('MAIL FROM:<alice@example.test>');
  for (const address of [
    'friend@far.test',
    '@example.test:friend@far.test',
    'friend%far.test@far.test',
    '"friend@far.test"@far.test',
    '"alice@example.test"@far.test',
  ])
    assert.match((await client.command(`RCPT TO:<${address}>`)).text, /^550 5\.7\.1 Relaying denied/, address);
  for (const address of [
    'friend%far.test@example.test',
    '"friend@far.test"@example.test',
    'far.test!friend@example.test',
  ])
    assert.match((await client.command(`RCPT TO:<${address}>`)).text, /^550 5\.1\.1 /, address);
});

test('ENVID, RET, NOTIFY and ORCPT are kept with the message and its targets', async (t) => {
  const { aliceSession, stored } = await openIngress(t);
  const client = await aliceSession();
  assert.equal((await client.command('MAIL FROM:<alice@example.test> RET=hdrs ENVID=QQ+2B314')).code, 250);
  assert.equal(
    (await client.command('RCPT TO:<a@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A+2Bb@far.test')).code,
    250,
  );
  assert.equal((await client.command('RCPT TO:<b@far.test> NOTIFY=NEVER')).code, 250);
  for (const bad of ['NOTIFY=NEVER,DELAY', 'NOTIFY', 'ORCPT=x', 'ORCPT=rfc822;a+0D+0Ab'])
    assert.match((await client.command(`RCPT TO:<c@far.test> ${bad}`)).text, /^501 5\.5\.4 /, bad);
  assert.match((await client.command('RCPT TO:<c@far.test> FOO=1')).text, /^555 5\.5\.4 /);
  await client.command('DATA');
  client.write(`${message}.\r\n`);
  const { envelope, targets } = await stored(await client.reply());
  assert.deepEqual([envelope.envid, envelope.ret], ['QQ+314', 'HDRS']);
  assert.deepEqual(
    targets.map(({ notify, originalRecipient }) => [notify, originalRecipient]),
    [
      [['SUCCESS', 'DELAY'], 'rfc822;A+b@far.test'],
      ['NEVER', undefined],
    ],
  );
  for (const bad of ['RET=ALL', 'ENVID=a=b', 'ENVID'])
    assert.match((await client.command(`MAIL FROM:<alice@example.test> ${bad}`)).text, /^501 5\.5\.4 /, bad);
});

test('after HELO commands have no parameters', async (t) => {
  const { session } = await openIngress(t);
  const client = await session('mx');
  await client.command('HELO client.example');
  assert.match((await client.command('MAIL FROM:<a@far.test> RET=FULL')).text, /^555 /);
  await client.command('MAIL FROM:<a@far.test>');
  assert.match((await client.command('RCPT TO:<alice@example.test> NOTIFY=NEVER')).text, /^555 /);
});

test('bulk mail is queued behind ordinary mail', async (t) => {
  const { aliceSession, stored } = await openIngress(t);
  const client = await aliceSession();
  const bulk = await stored(
    (await client.send('alice@example.test', ['a@far.test'], `Precedence: bulk\r\n${message}`)).final,
  );
  const many = Array.from({ length: 101 }, (_, n) => `u${n}@far.test`);
  const wide = await stored((await client.send('alice@example.test', many, message)).final);
  const plain = await stored((await client.send('alice@example.test', ['a@far.test'], message)).final);
  assert.deepEqual(
    [bulk, wide, plain].map(({ targets }) => targets[0]?.priority),
    [2, 2, 1],
  );
});

test('a message has at most 1,000 targets, aliases to the outside included', async (t) => {
  const { aliceSession, addAlias } = await openIngress(t);
  const outside = Array.from({ length: 600 }, (_, n) => `u${n}@far.test`);
  await addAlias('team@example.test', ...outside);
  await addAlias('others@example.test', ...outside.map((address) => `o-${address}`));
  await addAlias('huge@example.test', ...outside, ...outside.map((address) => `h-${address}`));
  const client = await aliceSession();
  await client.command('MAIL FROM:<alice@example.test>');
  assert.equal((await client.command('RCPT TO:<team@example.test>')).code, 250);
  assert.equal((await client.command('RCPT TO:<u1@FAR.test>')).code, 250, 'one of them already');
  assert.match((await client.command('RCPT TO:<others@example.test>')).text, /^452 4\.5\.3 /);
  assert.match((await client.command('RCPT TO:<huge@example.test>')).text, /^550 5\.7\.1 .*too many/);
});
