import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTransport } from 'nodemailer';
import type { Directory } from '../../libs/store/ports/directory.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';
import { openIngress, plain, secureClient, upgrade } from './ingress-fixture.ts';

const message =
  'From: Alice <alice@example.test>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nSubject: hello\r\n\r\nHello.\r\n';

test('nothing is submitted without TLS and a login', async (t) => {
  const { session } = await openIngress(t);
  const open = await session('submission');
  assert.match((await open.command('MAIL FROM:<alice@example.test>')).text, /^530 5\.7\.0 Must issue a STARTTLS/);
  assert.match((await open.command(`AUTH PLAIN ${plain('alice@example.test', 'x')}`)).text, /^538 5\.7\.11 /);
  assert.equal((await open.command('STARTTLS')).code, 220);
  const secure = await upgrade(open);
  // RFC 3207 §4.2: what was said before TLS is forgotten.
  assert.match((await secure.command('MAIL FROM:<alice@example.test>')).text, /^503 /);
  const shown = (await secure.command('EHLO client.example')).text;
  assert.match(shown, /^250[ -]AUTH PLAIN LOGIN$/m);
  assert.doesNotMatch(shown, /STARTTLS/);
  assert.match((await secure.command('MAIL FROM:<alice@example.test>')).text, /^530 5\.7\.0 Authentication required/);
  await secure.quit();
});

test('nodemailer submits with STARTTLS and with TLS from the start, and the trace says so', async (t) => {
  const { port, auth, stored } = await openIngress(t);
  for (const listener of ['submission', 'submissions'] as const) {
    const transport = createTransport({
      host: '127.0.0.1',
      port: port(listener),
      secure: listener === 'submissions',
      requireTLS: true,
      tls: { rejectUnauthorized: false },
      auth: { user: 'alice@example.test', pass: auth.passwords.alice },
    });
    const { response } = await transport.sendMail({
      from: 'alice@example.test',
      to: 'bob@example.test',
      subject: 'hi',
      text: 'Hi.',
    });
    transport.close();
    const kept = await stored({ code: 250, text: response });
    assert.match(kept.trace, / with ESMTPSA\r\n\t\(using TLSv1\.[23] [A-Z0-9_-]+\)/);
    assert.equal(kept.source.by, 'submission');
    assert.ok(kept.source.accountId);
  }
});

test('an unknown user, a wrong password and a disabled account get the same answer, and AUTH LOGIN works', async (t) => {
  const { session, auth } = await openIngress(t);
  const client = await session('submissions');
  const answers = new Set<string>();
  for (const user of ['alice@example.test', 'nobody@example.test', 'alice']) {
    answers.add((await client.command(`AUTH PLAIN ${plain(user, 'wrong')}`)).text);
  }
  assert.deepEqual([...answers], ['535 5.7.8 Authentication credentials invalid']);
  assert.equal((await client.command('AUTH LOGIN')).text, '334 VXNlcm5hbWU6');
  assert.equal((await client.command(Buffer.from('alice@example.test').toString('base64'))).code, 334);
  assert.match((await client.command(Buffer.from(auth.passwords.alice).toString('base64'))).text, /^235 2\.7\.0 /);
  assert.match(
    (await client.command(`AUTH PLAIN ${plain('bob@example.test', auth.passwords.bob)}`)).text,
    /^503 5\.5\.1 /,
  );
  // RFC 4954 §4: once logged in, AUTH isn't shown any more.
  assert.doesNotMatch((await client.command('EHLO client.example')).text, /AUTH/);
});

test('AUTH can be given up, refuses nonsense and other identities, and ends a session of guesses', async (t) => {
  const { session, auth } = await openIngress(t);
  const client = await session('submissions');
  assert.equal((await client.command('AUTH PLAIN')).text, '334 ');
  assert.match((await client.command('*')).text, /^501 /);
  assert.match((await client.command('AUTH PLAIN %%%')).text, /^501 /);
  assert.match((await client.command('AUTH CRAM-MD5')).text, /^504 /);
  assert.match((await client.command('AUTH')).text, /^504 /);
  const other = Buffer.from(`bob@example.test\0alice@example.test\0${auth.passwords.alice}`).toString('base64');
  assert.match((await client.command(`AUTH PLAIN ${other}`)).text, /^535 5\.7\.8 /);
  for (let n = 0; n < 3; n++)
    assert.equal((await client.command(`AUTH PLAIN ${plain('alice@example.test', '')}`)).code, 535);
  assert.equal((await client.command(`AUTH PLAIN ${plain('alice@example.test', '')}`)).code, 535);
  assert.match((await client.reply()).text, /^421 4\.7\.0 /);
});

test('while auth does not answer a login gets 454', async (t) => {
  const { session, auth } = await openIngress(t);
  await auth.auth.stop(0);
  const client = await session('submissions');
  assert.match(
    (await client.command(`AUTH PLAIN ${plain('alice@example.test', auth.passwords.alice)}`)).text,
    /^454 4\.7\.0 /,
  );
});

test('a session that is logged in ends with its credentials: nothing more is taken from a disabled account', async (t) => {
  const { aliceSession, auth } = await openIngress(t);
  const client = await aliceSession();
  assert.match((await client.command('MAIL FROM:<alice@example.test>')).text, /^250 /);
  await client.command('RSET');
  const entry = (await auth.store.directory.lookup({ keys: ['alice@example.test'], domains: [] })).entries;
  const alice = entry.get('alice@example.test');
  assert.ok(alice?.kind === 'account');
  await auth.store.directoryAdmin.updateAccount(alice.account.id, { enabled: false });
  auth.clock.advance(2_000);
  assert.match((await client.command('MAIL FROM:<alice@example.test>')).text, /^535 5\.7\.8 /);
});

test('the sender must own MAIL FROM: itself, its aliases and its subaddresses', async (t) => {
  const { aliceSession, addAlias } = await openIngress(t);
  await addAlias('sales@example.test', 'alice@example.test');
  const client = await aliceSession();
  for (const own of ['alice@example.test', 'Alice+tag@EXAMPLE.test', 'sales@example.test', 'sales+x@example.test']) {
    assert.match((await client.command(`MAIL FROM:<${own}> SIZE=100 AUTH=<>`)).text, /^250 /, own);
    await client.command('RSET');
  }
  assert.match((await client.command('MAIL FROM:<bob@example.test>')).text, /^553 5\.7\.1 /);
  assert.match((await client.command('MAIL FROM:<alice@far.test>')).text, /^553 5\.7\.1 /);
  assert.match((await client.command('MAIL FROM:<>')).text, /^550 5\.7\.1 /);
});

test('who gets what nobody has may write as nobody else has: a catch-all owns no address of others', async (t) => {
  const { aliceSession, addAlias } = await openIngress(t);
  await addAlias('@example.test', 'alice@example.test');
  await addAlias('sales@example.test', 'bob@example.test');
  const client = await aliceSession();
  assert.match((await client.command('MAIL FROM:<anything@example.test>')).text, /^250 /);
  await client.command('RSET');
  for (const others of ['bob@example.test', 'Bob+tag@example.test', 'admin@example.test', 'sales@example.test'])
    assert.match((await client.command(`MAIL FROM:<${others}>`)).text, /^553 5\.7\.1 /, others);
});

test('every address in From and Sender must belong to the account', async (t) => {
  const { aliceSession, accepted } = await openIngress(t);
  const client = await aliceSession();
  const submit = async (header: string) =>
    (await client.send('alice@example.test', ['bob@example.test'], `${header}Subject: x\r\n\r\nx\r\n`)).final.text;
  const foreign = [
    'From: bob@example.test\r\n',
    'From: alice@example.test, bob@example.test\r\n',
    'From: alice@example.test\r\nFrom: bob@example.test\r\n',
    'From: Alice <alice@example.test>\r\nSender: bob@example.test\r\n',
    'From: "alice@example.test" <bob@example.test>\r\n',
    'fRoM :\r\n bob@example.test\r\n',
    'From: alice@example.test <bob@example.test>\r\n',
    'From: Group: alice@example.test, bob@example.test;\r\n',
    'From: Alice\r\n',
  ];
  for (const header of foreign) assert.match(await submit(header), /^550 5\.7\.1 /, header);
  for (const header of ['', 'From:\r\n', 'From: nobody:;\r\n'])
    assert.match(await submit(header), /^550 5\.6\.0 /, header);
  for (const header of [
    'From: Alice <alice@example.test>\r\n',
    'From:\r\n "Alice A." <ALICE+x@example.test>\r\nSender: alice@example.test\r\n',
  ]) {
    assert.match(await submit(header), /^250 /, header);
  }
  assert.equal(await accepted(), 2);
});

test('a Date and a Message-ID are added where they are missing, and the received bytes stay as they are', async (t) => {
  const { aliceSession, stored, body } = await openIngress(t);
  const client = await aliceSession();
  const bare = 'From: alice@example.test\r\n\r\nHello.\r\n';
  const added = await stored((await client.send('alice@example.test', ['bob@example.test'], bare)).final);
  assert.match(
    added.trace,
    /^Received: [^]*\+0000\r\nDate: [^\r\n]+ \+0000\r\nMessage-ID: <[0-9a-f-]{36}@mail\.example\.test>\r\n$/,
  );
  assert.equal((await body(added)).toString(), bare);
  const complete = await stored((await client.send('alice@example.test', ['bob@example.test'], message)).final);
  assert.doesNotMatch(complete.trace, /Date:|Message-ID:/);
});

test('a session that is cut after the final dot leaves the whole message or none', async (t) => {
  const { promise: hold, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  const directory = (real: Directory): Directory => ({
    ...real,
    async addressesOf(accountId) {
      // The first time is for MAIL.
      if (++asked > 1) await hold;
      return real.addressesOf(accountId);
    },
  });
  const { ingress, aliceSession, auth } = await openIngress(t, { directory });
  const client = await aliceSession();
  for (const line of ['MAIL FROM:<alice@example.test>', 'RCPT TO:<bob@example.test>', 'DATA'])
    await client.command(line);
  auth.clock.advance(10_000);
  client.write(`${message}.\r\n`);
  await until('From is being checked', 5000, () => asked === 2);
  // The grace is over: the socket is cut.
  await ingress.stop(0);
  resolve();
  await until('it is stored', 5000, async () => (await auth.store.deliveries.list({}, { limit: 1 })).length === 1);
  const [row] = await auth.store.deliveries.list({}, { limit: 1 });
  const kept = (await auth.store.spool.read([row?.messageId ?? ''])).get(row?.messageId ?? '');
  assert.ok(kept?.body.kind === 'inline');
  assert.equal(Buffer.from(kept.body.bytes).toString(), message);
});

test('commands that were sent with STARTTLS are forgotten', async (t) => {
  const { port, accepted } = await openIngress(t);
  const { client } = await SmtpClient.connect(port('mx'));
  await client.command('EHLO client.example');
  client.write('STARTTLS\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<alice@example.test>\r\n');
  assert.equal((await client.reply()).code, 220);
  const secure = await upgrade(client);
  assert.equal((await secure.command('NOOP')).code, 250);
  assert.equal((await secure.command('EHLO client.example')).code, 250);
  assert.match((await secure.command('DATA')).text, /^503 /);
  await secure.quit();
  assert.equal(await accepted(), 0);
});

test('a session that has changed to TLS is counted once, and not any more when it is gone', async (t) => {
  const { session, metrics } = await openIngress(t);
  const open = async () => {
    const { values } = (await metrics.getSingleMetric('waypost_smtp_connections')?.get()) ?? { values: [] };
    return values.reduce((sum, { value }) => sum + value, 0);
  };
  const plainText = await session('submission');
  await plainText.command('STARTTLS');
  const secure = await upgrade(plainText);
  await secure.command('EHLO client.example');
  assert.equal(await open(), 1);
  await secure.quit();
  await until('it is gone', 5000, async () => (await open()) === 0);
});

test('a renewed certificate is used from the next handshake on', async (t) => {
  const { port, renewCertificate } = await openIngress(t);
  const fingerprint = async () => {
    const { client } = await SmtpClient.connect(port('submission'));
    await client.command('EHLO client.example');
    await client.command('STARTTLS');
    const { socket } = await upgrade(client);
    const seen =
      'getPeerX509Certificate' in socket && typeof socket.getPeerX509Certificate === 'function'
        ? socket.getPeerX509Certificate()
        : undefined;
    socket.destroy();
    return seen?.fingerprint256;
  };
  const before = await fingerprint();
  assert.ok(before);
  renewCertificate();
  assert.notEqual(await fingerprint(), before);
  const implicit = await secureClient(port('submissions'));
  assert.equal((await implicit.reply()).code, 220);
  implicit.destroy();
});
