import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { never, openTo, outgoing } from '../../../tests/support/smtp-sink/client-fixture.ts';
import { type Sink, type SinkScript, startSink } from '../../../tests/support/smtp-sink/sink.ts';
import type { OutgoingMessage } from './envelope.ts';
import { SevenBitNeeded } from './session.ts';

const sinks: Sink[] = [];
after(() => Promise.all(sinks.map((sink) => sink.close())));

async function sinkWith(script: SinkScript = {}): Promise<Sink> {
  const sink = await startSink(script);
  sinks.push(sink);
  return sink;
}

async function sendOne(sink: Sink, message: OutgoingMessage) {
  const session = await openTo(sink);
  return { session, ...(await session.send(message, { signal: never })) };
}

test('B14: a message larger than the server takes is refused before it is sent, and SIZE is said', async () => {
  const sink = await sinkWith({ extensions: ['SIZE 100'] });
  const { outcomes, session } = await sendOne(sink, outgoing({ text: `Subject: x\r\n\r\n${'x'.repeat(100)}\r\n` }));
  assert.deepEqual([outcomes[0]!.kind, outcomes[0]!.source, outcomes[0]!.enhanced], ['permanent', 'client', '5.3.4']);
  assert.equal(session.transactions, 0);
  await session.send(outgoing({ text: 'Subject: x\r\n\r\n' }), { signal: never });
  await session.quit();
  assert.equal(sink.messages[0]!.mail, 'MAIL FROM:<a@here.test> SIZE=14');
});

test('B16: 8-bit mail is said to be, and to a server without 8BITMIME not a single octet over 127 goes', async () => {
  const message = outgoing({ text: 'Subject: x\r\n\r\nGrüße\r\n', eightBit: true });
  const sink = await sinkWith();
  const { session } = await sendOne(sink, message);
  assert.match(sink.messages[0]!.mail, / BODY=8BITMIME/);
  await session.quit();
  sink.script = { extensions: ['PIPELINING'] };
  const strict = await openTo(sink);
  await assert.rejects(strict.send(message, { signal: never }), SevenBitNeeded);
  assert.equal(strict.usable, true);
  // Even if the caller is wrong about its own bytes.
  const result = await strict.send({ ...message, eightBit: false }, { signal: never });
  assert.deepEqual([result.outcomes[0]!.kind, result.outcomes[0]!.source], ['temporary', 'client']);
  assert.ok(result.bodyError instanceof Error);
  assert.ok(sink.connections[1]!.received.every((chunk) => chunk.every((octet) => octet < 128)));
  assert.equal(sink.messages.length, 1);
});

test('B17: UTF-8 addresses and headers go only to servers with SMTPUTF8; a domain alone goes as A-labels', async () => {
  const sink = await sinkWith();
  const mixed = outgoing({ recipients: [{ address: 'jürgen@grün.test' }, { address: 'b@grün.test' }] });
  const { outcomes, session } = await sendOne(sink, mixed);
  assert.ok(outcomes.every(({ kind }) => kind === 'delivered'));
  assert.match(sink.messages[0]!.mail, / SMTPUTF8/);
  assert.deepEqual(sink.messages[0]!.recipients, ['jürgen@xn--grn-ioa.test', 'b@xn--grn-ioa.test']);
  await session.quit();

  sink.script = { extensions: ['8BITMIME', 'PIPELINING'] };
  const without = await sendOne(sink, mixed);
  assert.deepEqual(
    without.outcomes.map(({ kind, enhanced }) => `${kind} ${enhanced}`),
    ['permanent 5.6.7', 'delivered 2.0.0'],
  );
  const utf8Header = await without.session.send(
    outgoing({ text: 'Subject: ü\r\n\r\n', smtputf8: true, eightBit: true }),
    { signal: never },
  );
  assert.equal(utf8Header.outcomes[0]!.enhanced, '5.6.7');
  const utf8Sender = await without.session.send(outgoing({ mailFrom: 'jürgen@here.test' }), { signal: never });
  assert.equal(utf8Sender.outcomes[0]!.enhanced, '5.6.7');
  const downgraded = await without.session.send(outgoing({ mailFrom: 'a@grün.test' }), { signal: never });
  assert.equal(downgraded.outcomes[0]!.kind, 'delivered');
  await without.session.quit();
});

test('each recipient has its own NOTIFY and ORCPT, and they are kept from servers without DSN', async () => {
  const message = outgoing({
    envid: 'a=b c',
    ret: 'HDRS',
    recipients: [
      { address: 'b@there.test', notify: ['SUCCESS', 'FAILURE'], orcpt: 'rfc822;b+x@there.test' },
      { address: 'c@there.test', notify: 'NEVER', orcpt: 'utf-8;jürgen@there.test' },
      { address: 'd@there.test' },
    ],
  });
  const sink = await sinkWith({ extensions: ['DSN'] });
  await (await sendOne(sink, message)).session.quit();
  assert.equal(sink.messages[0]!.mail, 'MAIL FROM:<a@here.test> RET=HDRS ENVID=a+3Db+20c');
  assert.deepEqual(sink.messages[0]!.rcpt, [
    'RCPT TO:<b@there.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx@there.test',
    'RCPT TO:<c@there.test> NOTIFY=NEVER ORCPT=utf-8;j\\x{FC}rgen@there.test',
    'RCPT TO:<d@there.test>',
  ]);
  sink.script = { extensions: [] };
  await (await sendOne(sink, message)).session.quit();
  assert.equal(sink.messages[1]!.mail, 'MAIL FROM:<a@here.test>');
  assert.equal(sink.messages[1]!.rcpt[0], 'RCPT TO:<b@there.test>');
});

test('no command can be put into an address', async () => {
  const sink = await sinkWith();
  const { outcomes, session } = await sendOne(
    sink,
    outgoing({ recipients: [{ address: 'b@there.test>\r\nRSET' }, { address: 'c@there.test' }, { address: '' }] }),
  );
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['permanent', 'delivered', 'permanent'],
  );
  assert.equal(outcomes[0]!.enhanced, '5.1.3');
  const bad = await session.send(outgoing({ mailFrom: 'x> RET=FULL <' }), { signal: never });
  assert.equal(bad.outcomes[0]!.enhanced, '5.1.7');
  await session.send(outgoing({ mailFrom: '' }), { signal: never });
  assert.equal(sink.messages[1]!.mailFrom, '');
  await session.quit();
});

test('REQUIRETLS is not sent where it can’t be kept', async () => {
  const sink = await sinkWith();
  const { outcomes, session } = await sendOne(sink, outgoing({ requireTls: true }));
  assert.equal(outcomes[0]!.enhanced, '5.7.30');
  await session.quit();
});
