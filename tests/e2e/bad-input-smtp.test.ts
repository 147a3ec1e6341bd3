import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { maxRecipients } from '../../libs/accept/targets.ts';
import { type IngressFixture, openIngress, secureClient } from '../integration/ingress-fixture.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';

/** What a client sends after EHLO (LHLO), in one write, and the replies to it in order. */
interface Case {
  name: string;
  listener?: 'mx' | 'submission' | 'submissions' | 'lmtp';
  /** Nothing is said before. */
  bare?: true;
  send: string;
  expect: RegExp[];
}

const mail = 'MAIL FROM:<a@far.test>\r\n';
const rcpt = 'RCPT TO:<alice@example.test>\r\n';
const ok = /^250 /;
const go = /^354 /;
const transaction = [ok, ok, go];

/** A message with something wrong in it, and what would be a second message to a server that ends the first one early. */
const smuggled = (name: string, end: string, refusal: RegExp): Case => ({
  name: `a second message after ${name} is not seen`,
  send: `${mail}${rcpt}DATA\r\nSubject: one\r\n\r\ntext${end}MAIL FROM:<evil@far.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\nNOOP\r\n`,
  expect: [...transaction, refusal, ok],
});

/** One message with this as its text. */
const withText = (name: string, text: string, refusal: RegExp): Case => ({
  name,
  send: `${mail}${rcpt}DATA\r\nSubject: x\r\n\r\n${text}\r\n.\r\nNOOP\r\n`,
  expect: [...transaction, refusal, ok],
});

const cases: Case[] = [
  // out of order
  { name: 'MAIL before EHLO', bare: true, send: mail, expect: [/^503 5\.5\.1 /] },
  { name: 'RCPT before EHLO', bare: true, send: rcpt, expect: [/^503 5\.5\.1 /] },
  { name: 'DATA before EHLO', bare: true, send: 'DATA\r\n', expect: [/^503 5\.5\.1 /] },
  { name: 'RCPT before MAIL', send: rcpt, expect: [/^503 5\.5\.1 /] },
  { name: 'DATA before MAIL', send: 'DATA\r\n', expect: [/^503 5\.5\.1 /] },
  { name: 'DATA without a recipient', send: `${mail}DATA\r\n`, expect: [ok, /^503 5\.5\.1 /] },
  { name: 'MAIL twice', send: mail + mail, expect: [ok, /^503 5\.5\.1 /] },
  { name: 'RCPT after RSET', send: `${mail}RSET\r\n${rcpt}`, expect: [ok, ok, /^503 5\.5\.1 /] },
  { name: 'RCPT after a second EHLO', send: `${mail}HELO c.example\r\n${rcpt}`, expect: [ok, ok, /^503 5\.5\.1 /] },
  { name: 'AUTH on the MX', send: 'AUTH PLAIN AGEAYg==\r\n', expect: [/^500 5\.5\.2 /] },
  { name: 'AUTH before TLS', listener: 'submission', send: 'AUTH PLAIN AGEAYg==\r\n', expect: [/^538 5\.7\.11 /] },
  { name: 'MAIL before AUTH', listener: 'submissions', send: mail, expect: [/^530 5\.7\.0 /] },
  { name: 'MAIL before TLS', listener: 'submission', send: mail, expect: [/^530 5\.7\.0 /] },
  { name: 'STARTTLS within TLS', listener: 'submissions', send: 'STARTTLS\r\n', expect: [/^503 5\.5\.1 /] },
  { name: 'STARTTLS with a parameter', send: 'STARTTLS now\r\n', expect: [/^501 5\.5\.4 /] },
  { name: 'EHLO to LMTP', listener: 'lmtp', send: 'EHLO c.example\r\n', expect: [/^500 /] },
  { name: 'LHLO to SMTP', send: 'LHLO c.example\r\n', expect: [/^500 /] },
  // unknown and malformed commands
  { name: 'an unknown command', send: 'XYZZY\r\n', expect: [/^500 5\.5\.2 /] },
  { name: 'an empty line', send: '\r\n', expect: [/^500 5\.5\.2 /] },
  { name: 'only spaces', send: '    \r\n', expect: [/^500 5\.5\.2 /] },
  {
    name: 'a name of a method in place of a command',
    send: 'CONSTRUCTOR\r\n__PROTO__\r\n',
    expect: [/^500 /, /^500 /],
  },
  { name: 'EXPN', send: 'EXPN list\r\n', expect: [/^502 5\.5\.1 /] },
  {
    name: 'VRFY tells nothing',
    send: 'VRFY alice@example.test\r\nVRFY nobody\r\n',
    expect: [/^252 2\.5\.0 /, /^252 2\.5\.0 /],
  },
  { name: 'BDAT', send: `${mail}${rcpt}BDAT 0 LAST\r\n`, expect: [ok, ok, /^500 5\.5\.2 /] },
  { name: 'an old joke', send: 'WIZ\r\nSHELL\r\nKILL\r\n', expect: [/^500 /, /^500 /, /^500 /] },
  { name: 'XCLIENT', send: 'XCLIENT ADDR=192.0.2.1\r\n', expect: [/^500 5\.5\.2 /] },
  { name: 'EHLO without a name', send: 'EHLO\r\n', expect: [/^501 5\.5\.4 /] },
  { name: 'EHLO with two names', send: 'EHLO a b\r\n', expect: [/^501 5\.5\.4 /] },
  { name: 'EHLO with a name of 300 octets', send: `EHLO ${'a'.repeat(300)}\r\n`, expect: [/^501 5\.5\.4 /] },
  { name: 'DATA with a parameter', send: `${mail}${rcpt}DATA now\r\n`, expect: [ok, ok, /^501 5\.5\.4 /] },
  // paths
  { name: 'MAIL without a path', send: 'MAIL FROM:\r\nMAIL\r\n', expect: [/^501 5\.5\.4 /, /^501 5\.5\.4 /] },
  { name: 'MAIL without brackets', send: 'MAIL FROM:a@far.test\r\n', expect: [/^501 5\.5\.4 /] },
  { name: 'a sender without a domain', send: 'MAIL FROM:<alice>\r\n', expect: [/^501 5\.1\.7 /] },
  { name: 'a sender with two at signs', send: 'MAIL FROM:<a@b@far.test>\r\n', expect: [/^501 5\.1\.7 /] },
  { name: 'an empty recipient', send: `${mail}RCPT TO:<>\r\n`, expect: [ok, /^501 5\.1\.3 /] },
  {
    name: 'a recipient with a local part of 65 octets',
    send: `${mail}RCPT TO:<${'a'.repeat(65)}@example.test>\r\n`,
    expect: [ok, /^501 5\.1\.3 /],
  },
  { name: 'a recipient without an end', send: `${mail}RCPT TO:<alice@example.test\r\n`, expect: [ok, /^501 5\.5\.4 /] },
  {
    name: 'a recipient with a line end in quotes',
    send: `${mail}RCPT TO:<"a\\\rb"@example.test>\r\n`,
    expect: [ok, /^500 5\.5\.2 /],
  },
  { name: 'a percent hack', send: `${mail}RCPT TO:<alice%far.test@example.test>\r\n`, expect: [ok, /^550 5\.1\.1 /] },
  { name: 'a bang path', send: `${mail}RCPT TO:<far.test!alice@example.test>\r\n`, expect: [ok, /^550 5\.1\.1 /] },
  {
    name: 'a relay by source route',
    send: `${mail}RCPT TO:<@example.test:x@far.test>\r\n`,
    expect: [ok, /^550 5\.7\.1 /],
  },
  { name: 'an address literal', send: `${mail}RCPT TO:<x@[192.0.2.1]>\r\n`, expect: [ok, /^550 5\.7\.1 /] },
  // parameters
  { name: 'an unknown MAIL parameter', send: 'MAIL FROM:<a@far.test> FOO=bar\r\n', expect: [/^555 5\.5\.4 /] },
  {
    name: 'a DSN parameter with another word',
    send: 'MAIL FROM:<a@far.test> RET=ALL\r\n',
    expect: [/^501 5\.5\.4 /],
  },
  {
    name: 'NOTIFY that contradicts itself',
    send: `${mail}RCPT TO:<alice@example.test> NOTIFY=NEVER,SUCCESS\r\n`,
    expect: [ok, /^501 5\.5\.4 /],
  },
  {
    name: 'an unknown RCPT parameter',
    send: `${mail}RCPT TO:<alice@example.test> FOO=bar\r\n`,
    expect: [ok, /^555 5\.5\.4 /],
  },
  { name: 'SIZE that is no number', send: 'MAIL FROM:<a@far.test> SIZE=big\r\n', expect: [/^501 5\.5\.4 /] },
  {
    name: 'SIZE past the limit',
    send: 'MAIL FROM:<a@far.test> SIZE=99999999999999999999\r\n',
    expect: [/^552 5\.3\.4 /],
  },
  { name: 'SIZE twice', send: 'MAIL FROM:<a@far.test> SIZE=1 SIZE=2\r\n', expect: [/^501 5\.5\.4 /] },
  { name: 'BODY=BINARYMIME', send: 'MAIL FROM:<a@far.test> BODY=BINARYMIME\r\n', expect: [/^501 5\.5\.4 /] },
  { name: 'SMTPUTF8 with a value', send: 'MAIL FROM:<a@far.test> SMTPUTF8=yes\r\n', expect: [/^501 5\.5\.4 /] },
  {
    name: 'parameters after HELO',
    bare: true,
    send: 'HELO c.example\r\nMAIL FROM:<a@far.test> SIZE=1\r\n',
    expect: [ok, /^555 5\.5\.4 /],
  },
  // octets
  { name: 'a command of 3,000 octets', send: `NOOP ${'x'.repeat(3000)}\r\nNOOP\r\n`, expect: [/^500 5\.5\.2 /, ok] },
  { name: 'a command without an end', send: 'x'.repeat(100_000), expect: [/^421 /] },
  { name: 'NUL in a command', send: 'NOOP \0\r\n', expect: [/^500 5\.5\.2 /] },
  { name: 'broken UTF-8 in an address', send: 'MAIL FROM:<\xff\xfe@far.test> SMTPUTF8\r\n', expect: [/^500 5\.5\.2 /] },
  { name: 'UTF-8 cut in the middle', send: 'MAIL FROM:<\xc3@far.test> SMTPUTF8\r\n', expect: [/^500 5\.5\.2 /] },
  { name: 'UTF-8 without SMTPUTF8', send: 'MAIL FROM:<\xc3\xbc@far.test>\r\n', expect: [/^550 5\.6\.7 /] },
  {
    name: 'a TLS hello in plain text',
    bare: true,
    send: '\x16\x03\x01\x02\x00\x01\x00\r\n',
    expect: [/^500 5\.5\.2 /],
  },
  { name: 'an HTTP request', bare: true, send: 'POST / HTTP/1.1\r\nHost: x\r\n\r\n', expect: [/^421 /] },
  // content
  smuggled('LF . LF', '\n.\n', /^550 5\.6\.0 Bare LF in line 3 /),
  smuggled('LF . CRLF', '\n.\r\n', /^550 5\.6\.0 Bare LF in line 3 /),
  smuggled('CRLF . LF', '\r\n.\n', /^550 5\.6\.0 Bare LF in line 4 /),
  smuggled('CR . CR', '\r.\r', /^550 5\.6\.0 Bare CR in line 3 /),
  smuggled('CR . CRLF', '\r.\r\n', /^550 5\.6\.0 Bare CR in line 3 /),
  smuggled('CRLF . CR', '\r\n.\r', /^550 5\.6\.0 Bare CR in line 4 /),
  smuggled('CR LF . CR CR LF', '\r\n.\r\r\n', /^550 5\.6\.0 Bare CR in line 4 /),
  smuggled('LF CR . LF', '\n\r.\n', /^550 5\.6\.0 Bare LF in line 3 /),
  withText('a bare LF', 'a\nb', /^550 5\.6\.0 Bare LF in line 3 /),
  withText('a bare CR', 'a\rb', /^550 5\.6\.0 Bare CR in line 3 /),
  withText('a line of 100,000 octets', 'x'.repeat(100_000), /^554 5\.6\.0 Line 3 /),
  withText('a message past the limit', 'x'.repeat(998).concat('\r\n').repeat(1100), /^552 5\.3\.4 /),
  {
    name: 'a header section past the limit',
    send: `${mail}${rcpt}DATA\r\n${'X-Long: y\r\n'.repeat(14_000)}\r\nx\r\n.\r\nNOOP\r\n`,
    expect: [...transaction, /^552 5\.3\.4 /, ok],
  },
  {
    name: 'a loop',
    send: `${mail}${rcpt}DATA\r\n${'Received: by x\r\n'.repeat(60)}\r\nx\r\n.\r\n`,
    expect: [...transaction, /^554 5\.4\.6 /],
  },
  {
    name: 'LMTP answers a refused message for each recipient',
    listener: 'lmtp',
    send: `${mail}${rcpt}${rcpt}DATA\r\na\nb\r\n.\r\n`,
    expect: [ok, ok, ok, go, /^550 5\.6\.0 /, /^550 5\.6\.0 /],
  },
  { name: 'authentication that is no base64', listener: 'submissions', send: 'AUTH PLAIN ====\r\n', expect: [/^501 /] },
  {
    name: 'an AUTH line of 12,289 octets',
    listener: 'submissions',
    send: `AUTH PLAIN ${'A'.repeat(12_278)}\r\n`,
    expect: [/^500 5\.5\.6 /],
  },
  {
    name: 'a wrong password',
    listener: 'submissions',
    send: 'AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdAB4\r\n',
    expect: [/^535 5\.7\.8 /],
  },
];

let fixture: IngressFixture;
const closing: (() => unknown)[] = [];

before(async () => {
  const t = { after: (close: () => unknown) => void closing.push(close) };
  fixture = await openIngress(t, {
    env: { WAYPOST_MAX_MESSAGE_BYTES: '1048576' },
    limits: { idleTimeoutMs: 1000, dataTimeoutMs: 2000, maxCommands: 10_000_000 },
  });
});

after(async () => {
  for (const close of closing.toReversed()) await close();
});

for (const { name, listener = 'mx', bare, send, expect } of cases) {
  test(`bad SMTP input, ${name}: a clear answer, nothing is kept, and the next client is served`, async () => {
    const client = bare ? (await SmtpClient.connect(fixture.port(listener))).client : await fixture.session(listener);
    client.write(Buffer.from(send, 'latin1'));
    for (const expected of expect) assert.match((await client.reply()).text, expected);
    client.destroy();
    assert.equal(await fixture.accepted(), 0);
    assert.ok(fixture.ingress.readiness().ready);
  });
}

/** A session in which DATA was just answered with 354. */
async function inData(): Promise<SmtpClient> {
  const client = await fixture.session('mx');
  for (const [line, expected] of [
    [mail, ok],
    [rcpt, ok],
    ['DATA\r\n', go],
  ] as const) {
    client.write(line);
    assert.match((await client.reply()).text, expected);
  }
  return client;
}

/** Everything that was said to the client until the server closed. */
async function untilClosed(client: SmtpClient): Promise<string[]> {
  const said: string[] = [];
  for (;;) {
    const reply = await client.reply().catch(() => undefined);
    if (!reply) return said;
    said.push(reply.text);
  }
}

test('bad SMTP input, 10,000 recipients in one write: each is answered, a thousand are taken, the others may come again', async () => {
  const client = await fixture.session('mx');
  client.write(mail + 'RCPT TO:<alice@example.test>\r\n'.repeat(10_000));
  assert.equal((await client.reply()).code, 250);
  const codes = new Map<string, number>();
  for (let n = 0; n < 10_000; n++) {
    const status = (await client.reply()).text.slice(0, 9);
    codes.set(status, (codes.get(status) ?? 0) + 1);
  }
  assert.deepEqual(
    [...codes],
    [
      ['250 2.1.5', maxRecipients],
      ['452 4.5.3', 10_000 - maxRecipients],
    ],
  );
  await client.quit();
});

test('bad SMTP input, a client that goes away in the middle of anything: nothing is kept', async () => {
  const steps = ['EHLO c.example\r\n', mail, rcpt, 'DATA\r\n', 'Subject: x\r\n', '\r\nhalf a mess', 'age\r\n.', '\r'];
  for (let count = 0; count <= steps.length; count++) {
    for (const how of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const { client } = await SmtpClient.connect(fixture.port('mx'));
      client.write(steps.slice(0, count).join(''));
      client.socket[how]();
      if (how === 'end') assert.doesNotMatch((await untilClosed(client)).join('\n'), /queued/);
    }
  }
  assert.equal(await fixture.accepted(), 0);
});

test('bad SMTP input, data in drops and then nothing: 421, and nothing is kept', async () => {
  const dripping = await inData();
  const drip = setInterval(() => dripping.write('x'), 50);
  const silent = await inData();
  silent.write('Subject: x\r\n');
  assert.match((await untilClosed(silent)).at(-1) ?? '', /^421 4\.4\.2 /);
  assert.match((await untilClosed(dripping)).at(-1) ?? '', /^421 4\.4\.2 /);
  clearInterval(drip);
  assert.equal(await fixture.accepted(), 0);
});

test('bad SMTP input, data without an end: it is cut off', async () => {
  const client = await inData();
  const line = 'x'.repeat(998).concat('\r\n').repeat(64);
  let gone = false;
  client.socket.once('close', () => {
    gone = true;
  });
  for (let n = 0; n < 200 && !gone; n++) {
    client.write(line);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.match((await untilClosed(client)).join('\n'), /^552 5\.3\.4 /);
  assert.equal(await fixture.accepted(), 0);
});

test('bad SMTP input, a client that never reads its replies does not make the process grow', async () => {
  const { client } = await SmtpClient.connect(fixture.port('mx'));
  const { socket } = client;
  socket.pause();
  const flood = Buffer.from('EHLO c.example\r\n'.repeat(4000));
  let written = 0;
  const pump = (): void => {
    while (written < 400 && socket.write(flood)) written++;
  };
  socket.on('drain', pump);
  pump();
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(written < 400, 'the server went on reading');
  socket.destroy();
});

test('bad SMTP input, octets at random on every listener: the process stays up', async () => {
  let seed = 7;
  const next = (): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 16) & 0xff;
  };
  for (const listener of ['mx', 'submission', 'submissions', 'lmtp'] as const) {
    for (let n = 0; n < 20; n++) {
      const socket = connect(fixture.port(listener), '127.0.0.1');
      socket.on('error', () => {});
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.resume();
      socket.end(Buffer.from(Array.from({ length: 500 }, next)));
      await closed;
    }
  }
});

test('bad SMTP input, a TLS handshake that is broken off: the next one works', async () => {
  for (let n = 0; n < 5; n++) {
    const socket = connect(fixture.port('submissions'), '127.0.0.1', () =>
      socket.write('\x16\x03\x01', () => socket.resetAndDestroy()),
    );
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
  }
  const client = await secureClient(fixture.port('submissions'));
  assert.equal((await client.reply()).code, 220);
  await client.quit();
});

test('bad SMTP input, binary: eight-bit octets and NUL in the text are kept as they are', async () => {
  const client = await inData();
  const octets = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)).filter(
    (octet) => octet !== 10 && octet !== 13,
  );
  const message = Buffer.concat([Buffer.from('Subject: binary\r\n\r\n'), octets, Buffer.from('\r\n')]);
  client.write(message);
  client.write('.\r\n');
  const kept = await fixture.stored(await client.reply());
  assert.ok((await fixture.body(kept)).equals(message));
  assert.equal(await fixture.accepted(), 1);
});

test('bad SMTP input, after all of it: no session, no memory is left, and mail is taken on every listener', async () => {
  const value = async (name: string) =>
    (await fixture.metrics.getSingleMetric(name)?.get())?.values.reduce((sum, one) => sum + one.value, 0);
  await until('all sessions are gone', 10_000, async () => (await value('waypost_smtp_connections')) === 0);
  assert.equal(await value('waypost_smtp_data_bytes'), 0);
  for (const listener of ['mx', 'lmtp'] as const) {
    const client = await fixture.session(listener);
    const { final } = await client.send('a@far.test', ['alice@example.test'], 'Subject: good\r\n\r\nGood.\r\n');
    await fixture.stored(final);
    await client.quit();
  }
});
