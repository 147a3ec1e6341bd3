import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { createSrs } from '../../libs/mail/srs/srs.ts';
import { srsSecrets } from '../../services/ingress/srs-secrets.ts';
import { openIngress } from './ingress-fixture.ts';

const message = 'From: Someone <someone@far.test>\r\nSubject: hello\r\n\r\nHello.\r\n';
const secret = 'a secret of this test'.replaceAll(' ', '-');
const env = { WAYPOST_SRS_SECRET: secret };
const dayMs = 86_400_000;

test('an alias to the outside forwards under an address of ours, beside local recipients that keep the sender', async (t) => {
  const { session, addAlias, stored, auth } = await openIngress(t, { env });
  await addAlias('team@example.test', 'alice@example.test', 'nested@example.test');
  await addAlias('nested@example.test', 'friend@near.test');
  const client = await session('mx');
  const kept = await stored((await client.send('someone@far.test', ['team@example.test'], message)).final);
  assert.equal(kept.envelope.reversePath, 'someone@far.test');
  const [inbox, remote, ...others] = await auth.store.deliveries.ofMessage(kept.messageId);
  assert.deepEqual(others, []);
  assert.deepEqual([inbox?.kind, inbox?.reversePath], ['inbox', undefined]);
  assert.deepEqual(
    [remote?.kind, remote?.recipient, remote?.destination, remote?.sender, remote?.originalRecipient],
    ['remote', 'friend@near.test', 'near.test', 'someone@far.test', 'rfc822;team@example.test'],
  );
  assert.match(remote?.reversePath ?? '', /^SRS0=[a-z2-7]{8}=[a-z2-7]{2}=far\.test=someone@example\.test$/);
});

test('a bounce to such an address goes to the sender; anybody else’s mail, a forged and an old one are refused', async (t) => {
  const { session, addAlias, stored, auth } = await openIngress(t, { env });
  await addAlias('out@example.test', 'friend@near.test');
  const client = await session('mx');
  const forwarded = await stored((await client.send('someone@far.test', ['out@example.test'], message)).final);
  const path = forwarded.targets[0]?.reversePath ?? assert.fail('not rewritten');
  const bounce = await stored((await client.send('', [path], message)).final);
  assert.deepEqual(
    bounce.targets.map(({ kind, recipient, destination, reversePath }) => [kind, recipient, destination, reversePath]),
    [['remote', 'someone@far.test', 'far.test', undefined]],
  );
  await client.command('MAIL FROM:<spam@elsewhere.test>');
  assert.match((await client.command(`RCPT TO:<${path}>`)).text, /^550 5\.7\.1 .*bounces only/);
  await client.command('RSET');
  await client.command('MAIL FROM:<>');
  assert.match(
    (await client.command(`RCPT TO:<${path.replace('someone', 'victim')}>`)).text,
    /^550 5\.7\.1 .*not made/,
  );
  const expired = createSrs({ domain: 'example.test', secrets: [secret] });
  const old = expired.forward('someone@far.test', auth.clock.nowMs() - 22 * dayMs);
  assert.match((await client.command(`RCPT TO:<${old}>`)).text, /^550 5\.7\.1 .*no more/);
  const other = createSrs({ domain: 'example.test', secrets: ['another secret'] }).forward(
    'someone@far.test',
    Date.now(),
  );
  assert.match((await client.command(`RCPT TO:<${other}>`)).text, /^550 5\.7\.1 .*not made/);
});

test('mail of our own senders and bounces are forwarded as they are', async (t) => {
  const { session, aliceSession, addAlias, stored } = await openIngress(t, { env });
  await addAlias('out@example.test', 'friend@near.test');
  const own = message.replace('someone@far.test', 'alice@example.test');
  const submitted = await (await aliceSession()).send('alice@example.test', ['out@example.test'], own);
  const mx = await session('mx');
  for (const { final } of [
    submitted,
    await mx.send('', ['out@example.test'], message),
    await mx.send('alice@example.test', ['out@example.test'], message),
  ]) {
    const { targets } = await stored(final);
    assert.deepEqual(
      targets.map(({ recipient, reversePath }) => [recipient, reversePath]),
      [['friend@near.test', undefined]],
    );
  }
});

test('a circle through another server ends at the alias, and the mark names nobody', async (t) => {
  const { session, addAlias, stored } = await openIngress(t, { env });
  await addAlias('out@example.test', 'friend@near.test');
  await addAlias('other@example.test', 'friend@near.test');
  const client = await session('mx');
  const once = await stored(
    (await client.send('someone@far.test', ['out@example.test', 'alice@example.test'], message)).final,
  );
  assert.match(once.trace, /\r\nWaypost-Forwarded: \S{22}\r\n$/);
  assert.doesNotMatch(once.trace, /out@example/);
  const back = once.trace + message;
  assert.match((await client.send('someone@far.test', ['Out@example.test'], back)).final.text, /^554 5\.4\.6 .*circle/);
  const second = await stored((await client.send('someone@far.test', ['other@example.test'], back)).final);
  assert.equal(second.targets.length, 1);
});

test('without a secret, in a cluster, mail is forwarded under its own sender', async () => {
  const config = { srsSecret: undefined, mongodbUrl: 'mongodb://127.0.0.1/', dataDir: '/nowhere' };
  assert.deepEqual(await srsSecrets(config), []);
  assert.deepEqual(await srsSecrets({ ...config, srsSecret: 'first-secret-here,second-secret-here' }), [
    'first-secret-here',
    'second-secret-here',
  ]);
});

test('embedded, the secret is made once and for the owner’s eyes alone', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-srs-'));
  t.after(() => rm(dataDir, { recursive: true }));
  const config = { srsSecret: undefined, mongodbUrl: undefined, dataDir };
  const [first] = await srsSecrets(config);
  assert.ok((first ?? '').length >= 40);
  assert.deepEqual(await srsSecrets(config), [first]);
  const file = join(dataDir, 'srs-secret');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await readFile(file, 'utf8')).trim(), first);
});
