import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { never, openTo, outgoing, recipients } from '../../../tests/support/smtp-sink/client-fixture.ts';
import { silence, type Sink, type SinkScript, startSink } from '../../../tests/support/smtp-sink/sink.ts';
import { until } from '../../../tests/support/until.ts';
import { SmtpFailure } from './failures.ts';

const sinks: Sink[] = [];
after(() => Promise.all(sinks.map((sink) => sink.close())));

async function sinkWith(script: SinkScript = {}): Promise<Sink> {
  const sink = await startSink(script);
  sinks.push(sink);
  return sink;
}

for (const [what, bytes] of [
  ['421', '421 4.4.2 idle for too long\r\n'],
  ['a reply to no command', '250 surprise\r\n'],
  ['rubbish', 'rubbish\r\n'],
  ['an endless line', 'x'.repeat(100_000)],
] as const) {
  test(`${what} to an idle session makes it unusable at once`, async () => {
    const sink = await sinkWith();
    const session = await openTo(sink);
    // The sink says it with the answer to RSET: for the client it comes when nothing is owed.
    sink.script = { rset: { bytes: `250 ok\r\n${bytes}` } };
    await session.reset(never).catch((error: unknown) => assert.ok(error instanceof SmtpFailure));
    await session.closed;
    assert.equal(session.usable, false);
    assert.ok(session.failure);
    assert.equal((await session.send(outgoing(), { signal: never })).outcomes[0]!.kind, 'temporary');
  });
}

test('a close by the server makes an idle session unusable', async () => {
  const sink = await startSink();
  const session = await openTo(sink);
  await sink.close();
  await session.closed;
  assert.equal(session.usable, false);
});

test('a session that nobody uses says QUIT by itself', async () => {
  const sink = await sinkWith();
  const session = await openTo(sink, { timeLimits: { idle: 50 } });
  await session.closed;
  assert.deepEqual([session.usable, session.failure], [false, undefined]);
  assert.equal(sink.connections[0]!.commands.at(-1), 'QUIT');
});

test('QUIT is bounded when the server says nothing', async () => {
  const sink = await sinkWith({ quit: silence });
  const session = await openTo(sink, { timeLimits: { quit: 50 } });
  await Promise.all([session.quit(), session.quit()]);
  await until('the connection is closed', 2000, () => sink.openConnections === 0);
});

test('MAILMAX ends a session’s use (RFC 9422)', async () => {
  const sink = await sinkWith({ extensions: ['LIMITS MAILMAX=2'] });
  const session = await openTo(sink);
  await session.send(outgoing(), { signal: never });
  assert.equal(session.usable, true);
  await session.send(outgoing(), { signal: never });
  assert.equal(session.usable, false);
  await session.quit();
});

test('a refused RSET ends the session', async () => {
  const sink = await sinkWith({ rset: '502 no' });
  const session = await openTo(sink);
  await assert.rejects(session.reset(never), SmtpFailure);
  assert.equal(session.usable, false);
});

test('the sink counts connections at the same time', async () => {
  const sink = await sinkWith();
  const sessions = await Promise.all([openTo(sink), openTo(sink), openTo(sink)]);
  assert.deepEqual([sink.maxConcurrent, sink.openConnections], [3, 3]);
  await Promise.all(sessions.map((session) => session.quit()));
  await (await openTo(sink)).quit();
  assert.deepEqual([sink.maxConcurrent, sink.connections.length, sink.transactions], [3, 4, 0]);
});

for (const protocol of ['smtp', 'lmtp'] as const) {
  for (const extensions of [['PIPELINING'], []]) {
    test(`B8: ${protocol} cut at any octet${extensions.length === 0 ? '' : ' of a group'}: delivered is true, and what is there without being known is unknown`, async () => {
      const whole = await sinkWith({ protocol, extensions });
      const message = outgoing({ recipients: recipients(2) });
      const session = await openTo(whole);
      await session.send(message, { signal: never });
      await session.quit();
      const octets = Buffer.concat(whole.connections[0]!.received).length;
      for (let cut = 1; cut <= octets; cut++) {
        const sink = await startSink({ protocol, extensions, dropAfterBytes: cut });
        try {
          const opened = await openTo(sink);
          const { outcomes } = await opened.send(message, { signal: never });
          for (const { kind, unknown } of outcomes) {
            assert.notEqual(kind, 'permanent');
            if (sink.messages.length > 0)
              assert.ok(kind === 'delivered' || unknown, `known to be there or unknown, at ${cut}`);
            else assert.equal(kind, 'temporary', `nothing is there at ${cut}`);
          }
          await opened.quit();
        } catch (error) {
          assert.ok(error instanceof SmtpFailure, String(error));
          assert.equal(sink.messages.length, 0);
        } finally {
          await sink.close();
        }
      }
    });
  }
}

test('whatever a server says, there is an outcome for each recipient, and delivered only after 2xx to the dot', async () => {
  const line = fc.constantFrom(
    '250 ok',
    '250-more',
    '354 go',
    '421 bye',
    '450 later',
    '550 5.1.1 no',
    '999 x',
    '',
    'x',
    '250',
    '25',
    '220 hi',
    '250 \xff\xfe',
    '250-\x1b[2J',
    '\0',
  );
  const answers = fc.record({ mail: line, rcpt: line, data: line, final: line });
  const sink = await sinkWith();
  await fc.assert(
    fc.asyncProperty(
      answers,
      fc.constantFrom(['PIPELINING'], []),
      fc.constantFrom('smtp', 'lmtp'),
      async (said, extensions, protocol) => {
        const raw = (text: string) => ({ bytes: `${text}\r\n` });
        sink.script = {
          protocol: protocol as 'smtp',
          extensions,
          mail: raw(said.mail),
          rcpt: raw(said.rcpt),
          data: raw(said.data),
          final: raw(said.final),
        };
        const session = await openTo(sink, { timeLimits: { mail: 20, rcpt: 20, data: 20, final: 20, quit: 20 } });
        const before = sink.messages.length;
        const { outcomes } = await session.send(outgoing({ recipients: recipients(2) }), { signal: never });
        assert.equal(outcomes.length, 2);
        for (const outcome of outcomes) {
          assert.doesNotMatch(outcome.text, /\p{Cc}/u);
          if (outcome.kind === 'delivered') assert.ok(sink.messages.length > before && outcome.stage === 'final');
          if (outcome.kind === 'permanent') assert.ok(Object.values(said).some((text) => text.startsWith('5')));
        }
        session.destroy();
        await session.closed;
      },
    ),
    { numRuns: 150 },
  );
});
