import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { after, test } from 'node:test';
import { openTo, outgoing, never } from '../../../tests/support/smtp-sink/client-fixture.ts';
import { drop, silence, type Sink, type SinkScript, startSink } from '../../../tests/support/smtp-sink/sink.ts';
import { until } from '../../../tests/support/until.ts';
import {
  AuthFailed,
  ConnectFailed,
  ConnectionLost,
  ProtocolFailure,
  ReplyTimedOut,
  SessionAborted,
  SessionRefused,
} from './failures.ts';

const sinks: Sink[] = [];
after(() => Promise.all(sinks.map((sink) => sink.close())));

async function sinkWith(script: SinkScript = {}): Promise<Sink> {
  const sink = await startSink(script);
  sinks.push(sink);
  return sink;
}

test('B12: the client waits for 220, says EHLO, and knows what the server can', async () => {
  const sink = await sinkWith({
    extensions: ['SIZE 1000', 'PIPELINING', 'AUTH=PLAIN', 'LIMITS RCPTMAX=7 MAILMAX=2', 'X-OTHER'],
  });
  const session = await openTo(sink, { heloName: '192.0.2.1' });
  const { maxSizeBytes, pipelining, eightBitMime, auth, maxRecipients, maxTransactions } = session.capabilities;
  assert.deepEqual(
    { maxSizeBytes, pipelining, eightBitMime, auth, maxRecipients, maxTransactions },
    {
      maxSizeBytes: 1000,
      pipelining: true,
      eightBitMime: false,
      auth: ['PLAIN'],
      maxRecipients: 7,
      maxTransactions: 2,
    },
  );
  await session.quit();
  assert.deepEqual(sink.connections[0]!.commands, ['EHLO [192.0.2.1]', 'QUIT']);
});

test('B12: a server that refuses EHLO with 5xx is told HELO, and can do nothing more than SMTP', async () => {
  const sink = await sinkWith({ ehlo: '502 what?' });
  const session = await openTo(sink);
  assert.equal(session.capabilities.esmtp, false);
  const { outcomes } = await session.send(outgoing(), { signal: never });
  assert.equal(outcomes[0]!.kind, 'delivered');
  await session.quit();
  assert.deepEqual(sink.connections[0]!.commands, [
    'EHLO client.test',
    'HELO client.test',
    'MAIL FROM:<a@here.test>',
    'RCPT TO:<b@there.test>',
    'DATA',
    'QUIT',
  ]);
});

test('LMTP says LHLO and has nothing to fall back to', async () => {
  const sink = await sinkWith({ protocol: 'lmtp' });
  await (await openTo(sink)).quit();
  assert.deepEqual(sink.connections[0]!.commands, ['LHLO client.test', 'QUIT']);
  sink.script = { protocol: 'lmtp', ehlo: '500 no' };
  await assert.rejects(openTo(sink), SessionRefused);
});

const short = { timeLimits: { greeting: 100, hello: 100 } };
const refusals: [string, SinkScript, new (...args: never[]) => Error][] = [
  ['a greeting with 421', { greeting: '421 busy' }, SessionRefused],
  ['a greeting with 554', { greeting: '554 5.3.2 go away' }, SessionRefused],
  ['a greeting with 250', { greeting: '250 hello' }, ProtocolFailure],
  ['a silent server', { greeting: silence }, ReplyTimedOut],
  ['a connection closed at once', { greeting: drop }, ConnectionLost],
  ['a server that speaks something else', { greeting: { bytes: 'SSH-2.0-OpenSSH\r\n' } }, ProtocolFailure],
  ['EHLO refused with 4xx', { ehlo: '451 later' }, SessionRefused],
  ['EHLO and HELO refused', { ehlo: '550 no', helo: '550 no' }, SessionRefused],
  ['silence after EHLO', { ehlo: silence }, ReplyTimedOut],
  ['an answer to EHLO of a megabyte', { ehlo: { bytes: '250-'.padEnd(1_000_000, 'x') } }, ProtocolFailure],
  ['an EHLO answer without end', { ehlo: { bytes: '250-X\r\n'.repeat(1000) } }, ProtocolFailure],
  ['binary bytes', { ehlo: { bytes: Buffer.from([0, 1, 2, 255, 13, 10]) } }, ProtocolFailure],
  ['code 999', { ehlo: '999 hi' }, ProtocolFailure],
  ['354 to EHLO', { ehlo: '354 go' }, ProtocolFailure],
  ['two greetings', { greeting: { bytes: '220 a\r\n220 b\r\n' } }, ProtocolFailure],
];

for (const [name, script, kind] of refusals) {
  test(`${name} is no session, and the connection is closed`, async () => {
    const sink = await sinkWith(script);
    await assert.rejects(openTo(sink, short), kind);
    await until('the connection is closed', 2000, () => sink.openConnections === 0);
  });
}

test('no listener and an address that is not there are told apart from refusals', async () => {
  const sink = await startSink();
  await sink.close();
  await assert.rejects(openTo(sink), (error) => error instanceof ConnectFailed && error.code === 'ECONNREFUSED');
});

test('an abort ends the opening at once and closes the connection', async () => {
  const sink = await sinkWith({ greeting: silence });
  const giveUp = new AbortController();
  const opening = openTo(sink, { signal: giveUp.signal });
  await until('it is connected', 2000, () => sink.openConnections === 1);
  giveUp.abort();
  await assert.rejects(opening, SessionAborted);
  await until('the connection is closed', 2000, () => sink.openConnections === 0);
  await assert.rejects(openTo(sink, { signal: giveUp.signal }), SessionAborted);
});

test('the local address is the one that was asked for', async () => {
  const sink = await sinkWith();
  const peers: (string | undefined)[] = [];
  const proxy = (await import('node:net')).createServer((socket) => {
    peers.push(socket.remoteAddress);
    const onward = connectTcp(sink.port, sink.host);
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as { port: number };
  await (await openTo(sink, { port, localAddress: '127.0.0.77' })).quit();
  proxy.close();
  assert.deepEqual(peers, ['127.0.0.77']);
});

const login = { user: 'relay', password: 'sécret' };

test('it logs in with PLAIN, or LOGIN where there is nothing else; a wrong password is no session and in no error', async () => {
  const sink = await sinkWith({ login });
  const plain = await openTo(sink, { auth: login });
  await plain.send(outgoing(), { signal: never });
  await plain.quit();
  assert.equal(sink.messages[0]!.user, 'relay');
  sink.script = { login, ehlo: '250-sink\r\n250 AUTH CRAM-MD5 LOGIN' };
  await (await openTo(sink, { auth: login })).quit();
  await assert.rejects(openTo(sink, { auth: { user: 'relay', password: 'wrong' } }), (error) => {
    assert.ok(error instanceof AuthFailed && error.reply?.code === 535);
    assert.doesNotMatch(JSON.stringify(error) + error.stack, /wrong|d3Jvbmc/);
    return true;
  });
  sink.script = { ehlo: '250 AUTH GSSAPI' };
  await assert.rejects(openTo(sink, { auth: login }), AuthFailed);
});
