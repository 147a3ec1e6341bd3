import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import { SmtpClient } from '../support/smtp-client.ts';
import { openIngress } from './ingress-fixture.ts';

const message = 'From: Someone <someone@far.test>\r\nSubject: hello\r\n\r\nHello.\r\n';

test('B12: the server greets first, both introduce themselves, and MAIL before that is 503', async (t) => {
  const { port } = await openIngress(t);
  const { client, greeting } = await SmtpClient.connect(port('mx'));
  assert.equal(greeting.text, '220 mail.example.test ESMTP Waypost');
  assert.match((await client.command('MAIL FROM:<a@far.test>')).text, /^503 5\.5\.1 /);
  assert.equal((await client.command('HELO client.example')).text, '250 mail.example.test greets you');
  assert.equal((await client.command('MAIL FROM:<a@far.test>')).code, 250);
  assert.equal((await client.command('EHLO client.example')).code, 250);
  // EHLO has ended the transaction (RFC 5321 §4.1.4).
  assert.equal((await client.command('RCPT TO:<alice@example.test>')).code, 503);
  await client.quit();
});

test('B13: the sender comes first, each recipient has its own answer, and DATA needs a good one', async (t) => {
  const { session, addAccount, addAlias } = await openIngress(t);
  await addAccount('off@example.test', { enabled: false });
  await addAccount('full@example.test', { quota: { bytes: null, messages: 0 } });
  await addAlias('circle@example.test', 'circle2@example.test');
  await addAlias('circle2@example.test', 'circle@example.test');
  await addAlias('away@example.test', 'somebody@far.test');
  const client = await session('mx');
  assert.match((await client.command('RCPT TO:<alice@example.test>')).text, /^503 5\.5\.1 /);
  assert.match((await client.command('DATA')).text, /^503 5\.5\.1 /);
  assert.match((await client.command('MAIL FROM:<someone@far.test>')).text, /^250 2\.1\.0 /);
  const answers: [string, RegExp][] = [
    ['nobody@example.test', /^550 5\.1\.1 /],
    ['off@example.test', /^550 5\.2\.1 /],
    ['full@example.test', /^452 4\.2\.2 /],
    ['circle@example.test', /^550 5\.4\.6 /],
    ['somebody@far.test', /^550 5\.7\.1 Relaying denied/],
    ['somebody@[127.0.0.1]', /^550 5\.7\.1 /],
  ];
  for (const [address, expected] of answers)
    assert.match((await client.command(`RCPT TO:<${address}>`)).text, expected, address);
  assert.match((await client.command('DATA')).text, /^503 5\.5\.1 No valid recipients/);
  const good = [
    'alice@example.test',
    'ALICE+tag@Example.Test',
    'postmaster',
    'postmaster@example.test',
    'away@example.test',
  ];
  for (const address of good) {
    assert.match((await client.command(`RCPT TO:<${address}>`)).text, /^250 2\.1\.5 /, address);
  }
  assert.equal((await client.command('DATA')).code, 354);
});

test('B14: DATA is answered 354 and, once the message is stored, 250 with its id', async (t) => {
  const { session, stored, body, auth } = await openIngress(t);
  const client = await session('mx');
  const { final } = await client.send('someone@far.test', ['alice@example.test', 'bob@example.test'], message);
  const kept = await stored(final);
  assert.equal((await body(kept)).toString(), message);
  assert.equal(kept.sha256, createHash('sha256').update(message).digest('hex'));
  assert.deepEqual(kept.envelope, { reversePath: 'someone@far.test', smtputf8: false, body: '7BIT' });
  const rows = await auth.store.deliveries.ofMessage(kept.messageId);
  assert.deepEqual(
    rows.map(({ recipient, state, kind }) => `${recipient} ${state} ${kind}`),
    ['alice@example.test queued inbox', 'bob@example.test queued inbox'],
  );
});

test('B14: a message past the limit is refused with 552, by its SIZE or by its data', async (t) => {
  const { session, accepted } = await openIngress(t, { env: { WAYPOST_MAX_MESSAGE_BYTES: '65536' } });
  const client = await session('mx');
  assert.match((await client.command('MAIL FROM:<a@far.test> SIZE=65537')).text, /^552 5\.3\.4 /);
  const large = `Subject: x\r\n\r\n${'x'.repeat(998).concat('\r\n').repeat(70)}`;
  assert.match((await client.send('a@far.test', ['alice@example.test'], large)).final.text, /^552 5\.3\.4 /);
  assert.equal((await client.send('a@far.test', ['alice@example.test'], message)).final.code, 250);
  assert.equal(await accepted(), 1);
});

test('EHLO shows what the listener does, and nothing else', async (t) => {
  const { port } = await openIngress(t);
  const shown = async (listener: 'mx' | 'submission' | 'lmtp') => {
    const { client } = await SmtpClient.connect(port(listener));
    const { text } = await client.command(`${listener === 'lmtp' ? 'LHLO' : 'EHLO'} client.example`);
    await client.quit();
    return text
      .split('\n')
      .slice(1)
      .map((line) => line.slice(4));
  };
  const common = ['PIPELINING', 'SIZE 52428800', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'DSN', 'STARTTLS'];
  assert.deepEqual(await shown('mx'), common);
  assert.deepEqual(await shown('lmtp'), common);
  assert.deepEqual(await shown('submission'), common);
});

test('the trace says from whom, by whom, how and when, and for whom when there is one recipient', async (t) => {
  const { session, stored } = await openIngress(t);
  const client = await session('mx');
  const one = await stored((await client.send('a@far.test', ['alice@example.test'], message)).final);
  const date = '[A-Z][a-z]{2}, \\d\\d [A-Z][a-z]{2} \\d{4} \\d\\d:\\d\\d:\\d\\d \\+0000';
  assert.match(
    one.trace,
    new RegExp(
      `^Received: from client\\.example \\(\\[127\\.0\\.0\\.1\\]\\)\\r\\n\\tby mail\\.example\\.test with ESMTP\\r\\n\\tid ${one.messageId}\\r\\n\\tfor <alice@example\\.test>; ${date}\\r\\n$`,
    ),
  );
  const two = await stored(
    (await client.send('a@far.test', ['alice@example.test', 'bob@example.test'], message)).final,
  );
  assert.doesNotMatch(two.trace, /for </);
  assert.deepEqual(two.source, { by: 'mx', remoteAddress: '127.0.0.1', helo: 'client.example' });
});

test('a message that has been through too many servers is refused as a loop', async (t) => {
  const { session } = await openIngress(t);
  const client = await session('mx');
  const hops = (count: number) => `Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n`.repeat(count);
  assert.equal((await client.send('a@far.test', ['alice@example.test'], hops(50) + message)).final.code, 250);
  assert.match(
    (await client.send('a@far.test', ['alice@example.test'], hops(51) + message)).final.text,
    /^554 5\.4\.6 /,
  );
  // In the text they are no trace.
  assert.equal((await client.send('a@far.test', ['alice@example.test'], message + hops(60))).final.code, 250);
});

test('commands and several messages in one write are answered in order', async (t) => {
  const { port, accepted } = await openIngress(t);
  const { client } = await SmtpClient.connect(port('mx'));
  const one = `MAIL FROM:<a@far.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\n${message}.\r\n`;
  client.write(`EHLO client.example\r\n${one.repeat(3)}QUIT\r\n`);
  const codes: number[] = [];
  for (let n = 0; n < 17; n++) codes.push((await client.reply()).code);
  assert.deepEqual(codes, [250, ...Array(3).fill([250, 250, 550, 354, 250]).flat(), 221]);
  assert.equal(await accepted(), 3);
});

test('a client that has closed its side still gets its replies', async (t) => {
  const { port, accepted } = await openIngress(t);
  const { client } = await SmtpClient.connect(port('mx'));
  client.socket.end(
    `EHLO c.example\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n${message}.\r\n`,
  );
  const codes: number[] = [];
  for (let n = 0; n < 5; n++) codes.push((await client.reply()).code);
  assert.deepEqual(codes, [250, 250, 250, 354, 250]);
  await assert.rejects(client.reply());
  assert.equal(await accepted(), 1);
});

test('a message past the inline limit goes to the blob store, octet for octet', async (t) => {
  const { session, stored, body } = await openIngress(t);
  const client = await session('mx');
  const large = `Subject: large\r\n\r\n${'.dots and lines of many octets, again and again\r\n'.repeat(40_000)}`;
  const kept = await stored((await client.send('a@far.test', ['alice@example.test'], large)).final);
  assert.equal(kept.body.kind, 'blob');
  assert.equal(kept.sizeBytes, large.length);
  assert.equal(kept.sha256, createHash('sha256').update(large).digest('hex'));
  assert.ok((await body(kept)).equals(Buffer.from(large)));
});

test('SMTPUTF8 addresses are taken with SMTPUTF8 and refused without', async (t) => {
  const { session, stored, addAccount } = await openIngress(t);
  await addAccount('jürgen@example.test');
  const client = await session('mx');
  const say = (line: string) => {
    client.write(Buffer.from(`${line}\r\n`));
    return client.reply();
  };
  assert.match((await say('MAIL FROM:<ü@far.test>')).text, /^550 5\.6\.7 /);
  assert.equal((await say('MAIL FROM:<a@far.test>')).code, 250);
  assert.match((await say('RCPT TO:<jürgen@example.test>')).text, /^553 5\.6\.7 /);
  await say('RSET');
  assert.equal((await say('MAIL FROM:<ü@bücher.test> SMTPUTF8 BODY=8BITMIME')).code, 250);
  assert.equal((await say('RCPT TO:<jürgen@example.test>')).code, 250);
  assert.equal((await say('DATA')).code, 354);
  client.write(Buffer.from('Subject: Grüße\r\n\r\nGrüße\r\n.\r\n'));
  const kept = await stored(await client.reply());
  assert.match(kept.trace, / with UTF8SMTP\r\n/);
  assert.match(kept.trace, /for <jürgen@example\.test>/);
  assert.deepEqual(kept.envelope, { reversePath: 'ü@bücher.test', smtputf8: true, body: '8BITMIME' });
});

test('LMTP answers for each recipient, one by one, repeated ones too', async (t) => {
  const { session, accepted } = await openIngress(t);
  const client = await session('lmtp');
  const { rcpt, final } = await client.send(
    '',
    ['alice@example.test', 'nobody@example.test', 'alice@example.test', 'bob@example.test'],
    message,
  );
  assert.deepEqual(
    rcpt.map(({ code }) => code),
    [250, 550, 250, 250],
  );
  assert.equal(final.code, 250);
  assert.equal((await client.reply()).code, 250);
  assert.equal((await client.reply()).code, 250);
  assert.equal((await client.command('NOOP')).text, '250 2.0.0 OK');
  assert.equal(await accepted(), 2);
});

test('the client that a known proxy names is the one in the trace', async (t) => {
  const { port, stored } = await openIngress(t, { env: { WAYPOST_PROXY_PROTOCOL_NETWORKS: '127.0.0.0/8' } });
  const client = SmtpClient.over(connect(port('mx'), '127.0.0.1'));
  client.write('PROXY TCP4 192.0.2.77 192.0.2.1 4000 25\r\n');
  assert.equal((await client.reply()).code, 220);
  await client.command('EHLO client.example');
  const kept = await stored((await client.send('a@far.test', ['alice@example.test'], message)).final);
  assert.equal(kept.source.remoteAddress, '192.0.2.77');
  await client.quit();
});
