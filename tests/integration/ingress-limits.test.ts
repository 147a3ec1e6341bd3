import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { OutcomeUnknown, StoreBusy, StoreFull, StoreUnavailable } from '../../libs/store/errors.ts';
import type { Directory } from '../../libs/store/ports/directory.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';
import { openIngress } from './ingress-fixture.ts';

const message = 'Subject: hello\r\n\r\nHello.\r\n';

/** A spool whose accepts wait or fail when the test says so; everything else is the real one. */
function faultySpool() {
  let fault: Error | undefined;
  let hold: Promise<void> | undefined;
  let held = 0;
  return {
    fail: (error: Error | undefined): void => {
      fault = error;
    },
    /** Accepts wait until the function returned is called. */
    hold: (): (() => void) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      hold = promise;
      return resolve;
    },
    held: () => held,
    wrap: (spool: Spool): Spool => ({
      ...spool,
      async accept(accepted) {
        held++;
        await hold;
        if (fault) throw fault;
        return spool.accept(accepted);
      },
      probe: async (timeoutMs) => !fault && spool.probe(timeoutMs),
    }),
  };
}

/** What a new connection is told first. */
async function greeting(t: TestContext, port: number): Promise<string> {
  const { client, greeting: first } = await SmtpClient.connect(port);
  t.after(() => client.destroy());
  return first.text;
}

test('connections past the limits, in all and for a network, get 421 in place of a greeting', async (t) => {
  const { port } = await openIngress(t, { limits: { maxConnectionsPerNetwork: 2, maxConnections: 3 } });
  const first = await SmtpClient.connect(port('mx'));
  assert.match(await greeting(t, port('mx')), /^220 /);
  assert.match(await greeting(t, port('mx')), /^421 4\.7\.0 \S+ Too many connections from your network/);
  first.client.destroy();
  await until('the closed connection is not counted any more', 5000, async () =>
    (await greeting(t, port('mx'))).startsWith('220 '),
  );
});

test('the limit in all holds over every listener', async (t) => {
  const { port } = await openIngress(t, { limits: { maxConnections: 2 } });
  assert.match(await greeting(t, port('mx')), /^220 /);
  assert.match(await greeting(t, port('lmtp')), /^220 /);
  assert.match(await greeting(t, port('submission')), /^421 4\.7\.0 /);
});

test('each end of a session by a limit is told with 421', async (t) => {
  const { session, port } = await openIngress(t, { limits: { maxCommands: 10, maxBadCommands: 3, maxMessages: 2 } });
  const chatty = await session('mx');
  for (let n = 0; n < 9; n++) assert.equal((await chatty.command('NOOP')).code, 250);
  assert.match((await chatty.command('NOOP')).text, /^421 4\.7\.0 /);

  const wrong = await session('mx');
  for (let n = 0; n < 3; n++) assert.equal((await wrong.command('NONSENSE')).code, 500);
  assert.match((await wrong.reply()).text, /^421 4\.7\.0 /);
  await assert.rejects(wrong.reply());

  const busy = await session('mx');
  for (let n = 0; n < 2; n++)
    assert.equal((await busy.send('a@far.test', ['alice@example.test'], message)).final.code, 250);
  assert.match((await busy.command('MAIL FROM:<a@far.test>')).text, /^421 4\.7\.0 /);
  assert.match(await greeting(t, port('mx')), /^220 /);
});

test('an idle client is let go, one that waits for us is not', async (t) => {
  const spool = faultySpool();
  const { session } = await openIngress(t, { limits: { idleTimeoutMs: 150 }, spool: spool.wrap });
  const idle = await session('mx');
  assert.match((await idle.reply()).text, /^421 4\.4\.2 /);
  const release = spool.hold();
  const waiting = await session('mx');
  const sent = waiting.send('a@far.test', ['alice@example.test'], message);
  await new Promise((resolve) => setTimeout(resolve, 500));
  release();
  assert.equal((await sent).final.code, 250);
});

test('drops of data do not hold a session for ever, nor does a long session', async (t) => {
  const { session, accepted } = await openIngress(t, { limits: { dataTimeoutMs: 300, sessionTimeoutMs: 1200 } });
  const slow = await session('mx');
  for (const line of ['MAIL FROM:<a@far.test>', 'RCPT TO:<alice@example.test>', 'DATA']) await slow.command(line);
  const drip = setInterval(() => slow.write('x'), 20);
  assert.match((await slow.reply()).text, /^421 4\.4\.2 /);
  clearInterval(drip);
  const long = await session('mx');
  assert.match((await long.reply()).text, /^421 4\.4\.2 Session too long/);
  assert.equal(await accepted(), 0);
});

test('data under way is bounded for all sessions together: past it DATA gets 452, and room comes back', async (t) => {
  const { session, metrics } = await openIngress(t, { limits: { maxDataBytes: 32 * 1024 } });
  const held = async () => (await metrics.getSingleMetric('waypost_smtp_data_bytes')?.get())?.values[0]?.value;
  const begin = async () => {
    const client = await session('mx');
    await client.command('MAIL FROM:<a@far.test>');
    await client.command('RCPT TO:<alice@example.test>');
    return { client, data: await client.command('DATA') };
  };
  const first = await begin();
  const second = await begin();
  assert.equal(second.data.code, 354);
  assert.equal(await held(), 32 * 1024);
  const third = await begin();
  assert.match(third.data.text, /^452 4\.3\.1 /);
  // One that can't grow in memory goes on in the blob store.
  first.client.write(`${message}${'x'.repeat(70).concat('\r\n').repeat(2000)}.\r\n`);
  assert.equal((await first.client.reply()).code, 250);
  second.client.destroy();
  await until('the memory is given back', 5000, async () => (await held()) === 0);
  assert.equal((await third.client.command('DATA')).code, 354);
});

test('what the store says is told to the sender, and nothing is kept', async (t) => {
  const spool = faultySpool();
  const { session, accepted } = await openIngress(t, { spool: spool.wrap });
  const client = await session('mx');
  for (const [error, expected] of [
    [new StoreFull(), /^452 4\.3\.1 /],
    [new StoreBusy(), /^451 4\.3\.0 /],
    [new Error('a bug'), /^451 4\.3\.0 /],
  ] as const) {
    spool.fail(error);
    assert.match((await client.send('a@far.test', ['alice@example.test'], message)).final.text, expected);
  }
  assert.equal(await accepted(), 0);
});

for (const error of [new StoreUnavailable(), new OutcomeUnknown()]) {
  test(`after ${error.name} ingress is not ready and takes no mail, until a probe commits`, async (t) => {
    const spool = faultySpool();
    const { ingress, session } = await openIngress(t, { spool: spool.wrap });
    assert.equal(ingress.readiness().ready, true);
    const client = await session('mx');
    spool.fail(error);
    assert.match((await client.send('a@far.test', ['alice@example.test'], message)).final.text, /^451 4\.3\.0 /);
    assert.equal(ingress.readiness().ready, false);
    assert.match((await client.command('MAIL FROM:<a@far.test>')).text, /^451 4\.3\.0 /);
    spool.fail(undefined);
    await until('ready again', 5000, () => ingress.readiness().ready);
    assert.equal((await client.send('a@far.test', ['alice@example.test'], message)).final.code, 250);
  });
}

test('while the directory can not be reached a recipient gets 451', async (t) => {
  const directory = (real: Directory): Directory => ({ ...real, lookup: () => Promise.reject(new StoreUnavailable()) });
  const { session, auth } = await openIngress(t, { directory });
  await auth.auth.stop(0);
  const client = await session('mx');
  await client.command('MAIL FROM:<a@far.test>');
  assert.match((await client.command('RCPT TO:<new@example.test>')).text, /^451 4\.3\.0 /);
});

test('without auth recipients are still found, in the store', async (t) => {
  const { session, auth } = await openIngress(t);
  await auth.auth.stop(0);
  const client = await session('mx');
  const { rcpt, final } = await client.send('a@far.test', ['alice@example.test', 'nobody@example.test'], message);
  assert.deepEqual([...rcpt.map(({ code }) => code), final.code], [250, 550, 250]);
});

test('a drain ends idle sessions with 421, lets the message under way finish, and takes nobody new', async (t) => {
  const spool = faultySpool();
  const { ingress, session, port, accepted } = await openIngress(t, { spool: spool.wrap });
  const mx = port('mx');
  const idle = await session('mx');
  const sending = await session('mx');
  const release = spool.hold();
  const sent = sending.send('a@far.test', ['alice@example.test'], message);
  await until('the message is in the store', 5000, () => spool.held() === 1);
  const stopped = ingress.stop(5000);
  assert.match((await idle.reply()).text, /^421 4\.3\.2 /);
  assert.equal(ingress.readiness().ready, false);
  await assert.rejects(SmtpClient.connect(mx));
  release();
  assert.equal((await sent).final.code, 250);
  assert.match((await sending.reply()).text, /^421 4\.3\.2 /);
  await stopped;
  assert.equal(await accepted(), 1);
});

test('a drain is over within its grace, whatever clients do', async (t) => {
  const { ingress, session, port } = await openIngress(t);
  const stuck = await session('mx');
  for (const line of ['MAIL FROM:<a@far.test>', 'RCPT TO:<alice@example.test>', 'DATA']) await stuck.command(line);
  // A TLS handshake that stands still, from the start and after STARTTLS.
  const hello = Buffer.from('16030101000100', 'hex');
  const upgrading = await session('submission');
  await upgrading.command('STARTTLS');
  upgrading.write(hello);
  const silent = connect(port('submissions'), '127.0.0.1', () => silent.write(hello));
  silent.on('error', () => {});
  t.after(() => silent.destroy());
  const startedMs = performance.now();
  await ingress.stop(300);
  assert.ok(performance.now() - startedMs < 2000);
});

test('accepted and refused messages are counted', async (t) => {
  const { session, metrics } = await openIngress(t);
  const client = await session('mx');
  await client.send('a@far.test', ['nobody@example.test', 'alice@example.test'], message);
  const text = await metrics.metrics();
  assert.match(text, /^waypost_smtp_accepted_total\{listener="mx"\} 1$/m);
  assert.match(text, /^waypost_smtp_accept_seconds_count\{listener="mx"\} 1$/m);
  assert.match(text, /^waypost_smtp_refused_total\{listener="mx",code="550",status="5\.1\.1"\} 1$/m);
  assert.match(text, /^waypost_smtp_connections\{listener="mx"\} 1$/m);
});
