import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { never, openTo, outgoing, recipients } from '../../../tests/support/smtp-sink/client-fixture.ts';
import { drop, silence, type Sink, type SinkScript, startSink } from '../../../tests/support/smtp-sink/sink.ts';
import { until } from '../../../tests/support/until.ts';
import type { OutgoingMessage } from './envelope.ts';
import type { RecipientOutcome } from './outcome.ts';

const sinks: Sink[] = [];
after(() => Promise.all(sinks.map((sink) => sink.close())));

async function sinkWith(script: SinkScript = {}): Promise<Sink> {
  const sink = await startSink(script);
  sinks.push(sink);
  return sink;
}

const plainExtensions = ['SIZE', 'ENHANCEDSTATUSCODES', '8BITMIME'];
const groups = [
  ['with PIPELINING', ['PIPELINING', ...plainExtensions]],
  ['one command at a time', plainExtensions],
] as const;

const brief = ({ kind, stage, code, unknown }: RecipientOutcome): string =>
  `${kind} ${stage} ${code ?? '-'}${unknown ? ' unknown' : ''}`;

/** One message to three recipients, with short limits. */
async function sendOne(sink: Sink, message: OutgoingMessage = outgoing({ recipients: recipients(3) })) {
  const limits = { mail: 200, rcpt: 200, data: 200, final: 200, dataBlock: 300, hello: 300 };
  const session = await openTo(sink, { timeLimits: limits });
  const result = await session.send(message, { signal: never });
  return { session, ...result, briefs: result.outcomes.map(brief) };
}

for (const [how, extensions] of groups) {
  test(`B13: the sender and the recipients are named, and each has its own answer, ${how}`, async () => {
    const sink = await sinkWith({
      extensions,
      rcpt: ({ line }) =>
        line.includes('r0@') ? '550 5.1.1 unknown' : line.includes('r1@') ? '450 4.2.1 later' : undefined,
    });
    const { outcomes, session } = await sendOne(sink);
    assert.deepEqual(outcomes, [
      {
        address: 'r0@there.test',
        kind: 'permanent',
        stage: 'rcpt',
        source: 'reply',
        code: 550,
        enhanced: '5.1.1',
        text: '5.1.1 unknown',
        host: 'mx.sink.test',
      },
      {
        address: 'r1@there.test',
        kind: 'temporary',
        stage: 'rcpt',
        source: 'reply',
        code: 450,
        enhanced: '4.2.1',
        text: '4.2.1 later',
        host: 'mx.sink.test',
      },
      {
        address: 'r2@there.test',
        kind: 'delivered',
        stage: 'final',
        source: 'reply',
        code: 250,
        enhanced: '2.0.0',
        text: '2.0.0 queued',
        host: 'mx.sink.test',
      },
    ]);
    assert.deepEqual([sink.messages[0]!.mailFrom, sink.messages[0]!.recipients], ['a@here.test', ['r2@there.test']]);
    await session.quit();
  });

  const stages: [string, SinkScript, string[]][] = [
    ['MAIL 4xx', { mail: '451 4.3.0 no' }, Array(3).fill('temporary mail 451')],
    ['MAIL 5xx', { mail: '550 5.7.1 no' }, Array(3).fill('permanent mail 550')],
    ['MAIL 421', { mail: '421 4.3.2 closing' }, Array(3).fill('temporary mail 421')],
    ['MAIL 354', { mail: '354 what' }, Array(3).fill('temporary mail -')],
    ['silence at MAIL', { mail: silence }, Array(3).fill('temporary mail -')],
    ['drop at MAIL', { mail: drop }, Array(3).fill('temporary mail -')],
    ['RCPT 5xx for all', { rcpt: '550 5.1.1 no' }, Array(3).fill('permanent rcpt 550')],
    ['RCPT 552, too many', { rcpt: '552 too many' }, Array(3).fill('temporary rcpt 552')],
    ['RCPT 552, mailbox full', { rcpt: '552 5.2.2 full' }, Array(3).fill('permanent rcpt 552')],
    [
      'RCPT 421 at the second',
      {
        rcpt: ({ line }) =>
          line.includes('r0') ? '550 no' : line.includes('r1') ? { reply: '421 bye', thenClose: true } : undefined,
      },
      ['permanent rcpt 550', 'temporary rcpt 421', 'temporary rcpt 421'],
    ],
    [
      'drop at the second RCPT',
      { rcpt: ({ line }) => (line.includes('r1') ? drop : undefined) },
      Array(3).fill('temporary rcpt -'),
    ],
    ['DATA 4xx', { data: '451 4.3.0 no' }, Array(3).fill('temporary data 451')],
    ['DATA 5xx', { data: '554 5.7.1 no' }, Array(3).fill('permanent data 554')],
    ['DATA 250', { data: '250 what' }, Array(3).fill('temporary data -')],
    ['drop at DATA', { data: drop }, Array(3).fill('temporary data -')],
    ['the dot 4xx', { final: '451 4.3.0 no' }, Array(3).fill('temporary final 451')],
    ['the dot 5xx', { final: '554 5.6.0 no' }, Array(3).fill('permanent final 554')],
    ['the dot 552', { final: '552 5.3.4 too big' }, Array(3).fill('permanent final 552')],
    ['the dot 421', { final: '421 4.3.0 closing' }, Array(3).fill('temporary final 421')],
    ['B8: the dot unanswered', { final: silence }, Array(3).fill('temporary final - unknown')],
    ['B8: a drop after the dot', { final: drop }, Array(3).fill('temporary final - unknown')],
    ['B8: rubbish after the dot', { final: { bytes: '999 ok\r\n' } }, Array(3).fill('temporary final - unknown')],
    ['B8: 354 after the dot', { final: '354 more' }, Array(3).fill('temporary final - unknown')],
  ];

  for (const [what, script, expected] of stages) {
    test(`${what}, ${how}: ${[...new Set(expected)].join(', ')}`, async () => {
      const sink = await sinkWith({ ...script, extensions });
      const { briefs, session } = await sendOne(sink);
      assert.deepEqual(briefs, expected);
      // Whatever was answered properly, the next message goes over the same connection.
      sink.script = { extensions };
      if (session.usable) {
        const { outcomes } = await session.send(outgoing(), { signal: never });
        assert.deepEqual(outcomes.map(brief), ['delivered final 250']);
      }
      await session.quit();
      await until('the connection is closed', 2000, () => sink.openConnections === 0);
    });
  }

  test(`a refused transaction leaves a usable session, and RSET goes before the next where one was left open, ${how}`, async () => {
    const sink = await sinkWith({ extensions, rcpt: '550 no' });
    const { session } = await sendOne(sink);
    sink.script = { extensions };
    await session.send(outgoing(), { signal: never });
    await session.send(outgoing(), { signal: never });
    await session.quit();
    const verbs = sink.connections[0]!.commands.map((line) => line.slice(0, 4));
    assert.deepEqual(verbs.filter((verb) => verb === 'RSET').length, 1);
    assert.equal(sink.messages.length, 2);
  });
}

test('354 to a DATA that went along with refused recipients gets the dot alone (RFC 2920 §3.1)', async () => {
  const sink = await sinkWith({ rcpt: '550 no', data: '354 go', final: '554 no valid recipients' });
  const { briefs, session } = await sendOne(sink);
  assert.deepEqual(briefs, Array(3).fill('permanent rcpt 550'));
  assert.equal(sink.messages[0]!.raw.length, 0);
  assert.equal(session.usable, true);
  sink.script = {};
  assert.equal((await session.send(outgoing(), { signal: never })).outcomes[0]!.kind, 'delivered');
  await session.quit();
});

test('354 after a refused MAIL with a recipient taken: no empty message is made', async () => {
  const sink = await sinkWith({ mail: '550 no', rcpt: '250 ok', data: '354 go' });
  const { briefs, session } = await sendOne(sink);
  assert.deepEqual(briefs, Array(3).fill('permanent mail 550'));
  assert.equal(sink.messages.length, 0);
  await session.quit();
});

test('B15: three messages for one host are one connection, three MAIL and one QUIT', async () => {
  const sink = await sinkWith();
  const session = await openTo(sink);
  for (let n = 0; n < 3; n++) {
    await session.send(outgoing(), { signal: never });
    await session.reset(never);
    assert.equal(session.usable, true);
  }
  await session.quit();
  assert.equal(sink.connections.length, 1);
  const count = (verb: string): number => sink.connections[0]!.commands.filter((line) => line.startsWith(verb)).length;
  assert.deepEqual([count('MAIL'), count('RSET'), count('QUIT'), sink.messages.length], [3, 3, 1, 3]);
});

test('B8: the body is the same octets at both ends, lines that begin with dots too, in chunks of any size', async () => {
  const sink = await sinkWith();
  const session = await openTo(sink);
  const lines = Array.from(
    { length: 40_000 },
    (_, at) =>
      `${'.'.repeat(at % 4)}${randomBytes(at % 60)
        .toString('latin1')
        .replace(/[\r\n]/g, 'x')}`,
  );
  const body = Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1');
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0, size = 1; at < body.length; at += size, size = ((size * 7) % 9973) + 1)
      yield body.subarray(at, Math.min(at + size, body.length));
  }
  for (const source of [() => body, chunks]) {
    const { outcomes } = await session.send(outgoing({ sizeBytes: body.length, body: source, eightBit: true }), {
      signal: never,
    });
    assert.equal(outcomes[0]!.kind, 'delivered');
  }
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  assert.deepEqual(
    sink.messages.map(({ raw }) => digest(raw)),
    [digest(body), digest(body)],
  );
  await session.quit();
});

test('a slow reader holds the source back: the message is never in memory as a whole', async () => {
  const reading = Promise.withResolvers<void>();
  const sink = await sinkWith({ extensions: ['SIZE 0'], readAfter: reading.promise });
  const session = await openTo(sink);
  const line = Buffer.from(`${'x'.repeat(998)}\r\n`);
  const lines = 64_000;
  let given = 0;
  async function* source(): AsyncGenerator<Buffer> {
    for (; given < lines; given++) yield line;
  }
  const message = outgoing({ sizeBytes: lines * line.length, body: source });
  const sending = session.send(message, { signal: AbortSignal.timeout(20_000) });
  let seen = -1;
  await until('the source is held back', 5000, () => {
    const held = given > 0 && given === seen;
    seen = given;
    return held;
  });
  assert.ok(given < lines / 2, `${given} lines are under way`);
  reading.resolve();
  assert.equal((await sending).outcomes[0]!.kind, 'delivered');
  await session.quit();
});

test('LMTP answers for each recipient after the dot', async () => {
  const sink = await sinkWith({
    protocol: 'lmtp',
    rcpt: ({ line }) => (line.includes('r3') ? '550 5.1.1 no' : undefined),
    final: ({ recipient }) =>
      recipient.startsWith('r1') ? '452 4.2.2 full' : recipient.startsWith('r2') ? '550 5.7.1 no' : undefined,
  });
  const { briefs, session } = await sendOne(sink, outgoing({ recipients: recipients(4) }));
  assert.deepEqual(briefs, ['delivered final 250', 'temporary final 452', 'permanent final 550', 'permanent rcpt 550']);
  assert.equal(session.usable, true);
  sink.script = { protocol: 'lmtp', final: ({ recipient }) => (recipient.startsWith('r1') ? drop : undefined) };
  const cut = await session.send(outgoing({ recipients: recipients(3) }), { signal: never });
  assert.deepEqual(cut.outcomes.map(brief), [
    'delivered final 250',
    'temporary final - unknown',
    'temporary final - unknown',
  ]);
  await session.quit();
  sink.script = { protocol: 'lmtp', rcpt: '550 no', data: '354 go' };
  const none = await sendOne(sink);
  assert.deepEqual([none.briefs[0], none.session.usable], ['permanent rcpt 550', false]);
});

test('a refusal in the middle of the data counts, and a 250 there doesn’t', async () => {
  const text = `Subject: x\r\n\r\n${`${'x'.repeat(98)}\r\n`.repeat(200_000)}`;
  for (const [answer, expected] of [
    ['552 5.3.4 too much', 'permanent data 552'],
    [{ reply: '421 4.3.0 closing', thenClose: true }, 'temporary data 421'],
    ['250 2.0.0 thanks', 'temporary data -'],
  ] as const) {
    const sink = await sinkWith({ early: { afterBytes: 100_000, answer } });
    const session = await openTo(sink);
    const { outcomes } = await session.send(outgoing({ text }), { signal: never });
    assert.equal(brief(outcomes[0]!), expected);
    assert.equal(session.usable, false);
    await session.quit();
    assert.equal(sink.messages.length, 0);
  }
});

test('a source that fails, hangs or ends too early never makes a message of a part', async () => {
  async function* fails(): AsyncGenerator<Buffer> {
    yield Buffer.from('Subject: x\r\n');
    throw new Error('disk');
  }
  async function* hangs(): AsyncGenerator<Buffer> {
    yield Buffer.from('Subject: x\r\n');
    await new Promise(() => undefined);
  }
  async function* endsEarly(): AsyncGenerator<Buffer> {
    yield Buffer.from('Subject: x\r\n');
  }
  const sink = await sinkWith();
  for (const body of [fails, hangs, endsEarly]) {
    const { briefs, bodyError, session } = await sendOne(sink, outgoing({ sizeBytes: 100, body }));
    assert.deepEqual(briefs, ['temporary data -']);
    assert.ok(bodyError instanceof Error);
    await session.closed;
  }
  const bare = await sendOne(sink, outgoing({ text: 'Subject: x\r\n\r\na\n.\nb\r\n' }));
  assert.equal(bare.briefs[0], 'temporary data -');
  assert.equal(sink.messages.length, 0);
});

test('an abort cuts the message: before the dot it isn’t there, after it the outcome is unknown', async () => {
  const sink = await sinkWith({ final: silence });
  const giveUp = new AbortController();
  const session = await openTo(sink);
  const sending = session.send(outgoing(), { signal: giveUp.signal });
  await until('the message is there', 2000, () => sink.messages.length === 1);
  giveUp.abort();
  assert.equal(brief((await sending).outcomes[0]!), 'temporary final - unknown');
  await session.closed;
  const late = await session.send(outgoing(), { signal: never });
  assert.equal(brief(late.outcomes[0]!), 'temporary mail -');
});
