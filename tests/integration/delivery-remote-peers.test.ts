import assert from 'node:assert/strict';
import test from 'node:test';
import { authority, selfSigned } from '../support/smtp-sink/certificates.ts';
import { drop, silence, type SinkScript } from '../support/smtp-sink/sink.ts';
import { until } from '../support/until.ts';
import { sinkFor, statesAre, waitMs } from './delivery-remote-cases.ts';
import { type Host, hostOf, openRemoteSystem } from './remote-fixture.ts';

const required: Host['tls'] = { mode: 'required', verify: { kind: 'name', names: ['mx.sink.test'] } };

test('a 4xx at any stage puts off, a 5xx ends, a silence puts off, and the next message is not touched by it', async (t) => {
  const stages: [string, SinkScript, string, RegExp][] = [
    ['mail4', { mail: '450 4.7.1 slow down' }, 'deferred', /^450 4\.7\.1 slow down$/],
    ['mail5', { mail: '550 5.7.1 not you' }, 'failed', /^550 5\.7\.1/],
    ['rcpt4', { rcpt: '450 4.2.0 later' }, 'deferred', /^450 4\.2\.0/],
    ['data4', { data: '451 4.3.0 no room' }, 'deferred', /^451 4\.3\.0/],
    ['data5', { data: '554 5.6.0 no' }, 'failed', /^554 5\.6\.0/],
    ['final4', { final: '452 4.3.1 full' }, 'deferred', /^452 4\.3\.1/],
    ['final5', { final: '554 5.7.1 spam' }, 'failed', /^554 5\.7\.1/],
    ['greeting4', { greeting: '421 4.3.2 too busy' }, 'deferred', /^421 4\.3\.2 too busy/],
    ['ehlo4', { ehlo: '450 4.3.2 later' }, 'deferred', /^450 4\.3\.2/],
    ['never', { greeting: '521 5.3.2 this host takes no mail' }, 'failed', /^521 /],
    ['rcptDrop', { rcpt: drop }, 'deferred', /^451 4\.4\.2 /],
    ['rcptSilence', { rcpt: silence }, 'deferred', /^451 4\.4\.2 no answer/],
  ];
  const mail = await openRemoteSystem(t);
  const sent: [string, string, RegExp][] = [];
  for (const [name, script, state, reply] of stages) {
    const sink = await sinkFor(t, script);
    mail.way(`${name}.test`, [hostOf(sink, { group: name })]);
    sent.push([await mail.send([`b@${name}.test`]), state, reply]);
  }
  await mail.startDelivery({ batches: 12, timeLimits: { rcpt: 300 } });
  for (const [id, state, reply] of sent) {
    await statesAre(mail, id, state);
    const [row] = await mail.deliveries.ofMessage(id);
    assert.match(row?.lastReply ?? '', reply);
    assert.equal(row?.attempts, 1);
    assert.equal((await mail.attempts(`${id}/0`)).length, 1);
  }
});

test('B12: to a server that knows no EHLO the client says HELO', async (t) => {
  const sink = await sinkFor(t, { ehlo: '502 5.5.1 not implemented' });
  const mail = await openRemoteSystem(t);
  mail.way('far.test', [hostOf(sink)]);
  const id = await mail.send(['b@far.test']);
  await mail.startDelivery();
  await statesAre(mail, id, 'delivered');
  assert.deepEqual(sink.connections[0]?.commands.slice(0, 2), ['EHLO mail.example.test', 'HELO mail.example.test']);
});

test('a failed opportunistic handshake is followed by plain text on a new connection; where TLS is required by none', async (t) => {
  const tls = { mode: 'starttls', ...selfSigned(['mx.sink.test']) } as const;
  const broken = await sinkFor(t, { tls, handshake: 'garbage' });
  const strict = await sinkFor(t, { tls, handshake: 'garbage' });
  const untrusted = await sinkFor(t, { tls });
  const mail = await openRemoteSystem(t);
  mail.way('may.test', [hostOf(broken)]);
  mail.way('must.test', [hostOf(strict, { tls: required })]);
  mail.way('wrong.test', [hostOf(untrusted, { tls: required })]);
  const [may, must, wrong] = [
    await mail.send(['b@may.test']),
    await mail.send(['b@must.test']),
    await mail.send(['b@wrong.test']),
  ];
  const { metrics } = await mail.startDelivery();
  await statesAre(mail, may, 'delivered');
  await statesAre(mail, must, 'deferred');
  await statesAre(mail, wrong, 'deferred');
  assert.equal(broken.connections.length, 2);
  assert.equal(broken.messages[0]?.secure, false);
  for (const sink of [strict, untrusted]) assert.equal(sink.transactions, 0);
  assert.match(
    (await mail.deliveries.ofMessage(wrong))[0]?.lastReply ?? '',
    /^451 4\.7\.5 TLS failed \(certificate-not-trusted\)/,
  );
  assert.equal(await mail.countOf(metrics, 'waypost_delivery_tls_total', { result: 'certificate-not-trusted' }), 1);
});

test('a certificate that the policy asks for is checked, and the trace says how it was encrypted', async (t) => {
  const issuer = authority();
  const sink = await sinkFor(t, { tls: { mode: 'starttls', ...issuer.issue(['mx.sink.test']) } });
  const mail = await openRemoteSystem(t);
  mail.way('far.test', [hostOf(sink, { tls: required })]);
  const id = await mail.send(['b@far.test']);
  await mail.startDelivery({ ca: issuer.ca });
  await statesAre(mail, id, 'delivered');
  assert.equal(sink.messages[0]?.secure, true);
  assert.match((await mail.attempts(`${id}/0`))[0]?.tls ?? '', /^TLSv1\.3 \S+ verified$/);
});

test('B16: to a server without 8BITMIME no octet over 127 goes, small or large, and lines are short', async (t) => {
  const sink = await sinkFor(t, { extensions: ['PIPELINING', 'SIZE 52428800'] });
  const mail = await openRemoteSystem(t);
  mail.way('far.test', [hostOf(sink)]);
  const mime = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n';
  const textOf = (times: number): string => `Subject: x\r\n${mime}\r\n${'grüße aus Köln\r\n'.repeat(times)}`;
  for (const times of [3, 20_000]) {
    const bytes = Buffer.from(textOf(times));
    const { ref } = await mail.blobs.put(
      (async function* () {
        yield bytes;
      })(),
      AbortSignal.timeout(5_000),
    );
    // As ingress keeps it: large bodies are blobs.
    const body = times > 3 ? { body: { kind: 'blob' as const, ref }, sizeBytes: bytes.length } : {};
    const id = await mail.send(['b@far.test'], { text: textOf(times), ...body });
    if (times === 3) await mail.startDelivery();
    mail.ready();
    await statesAre(mail, id, 'delivered');
    const raw = sink.messages.at(-1)?.raw ?? Buffer.alloc(0);
    assert.ok(raw.every((byte) => byte < 128));
    assert.ok(
      Math.max(
        ...raw
          .toString('latin1')
          .split('\r\n')
          .map(({ length }) => length),
      ) <= 998,
    );
    const [, content = ''] = raw.toString('latin1').split('\r\n\r\n');
    assert.equal(Buffer.from(content, 'base64').toString(), 'grüße aus Köln\r\n'.repeat(times));
  }
});

test('B8: a large message goes from the blob store to the server byte for byte', async (t) => {
  const sink = await sinkFor(t);
  const mail = await openRemoteSystem(t);
  mail.way('far.test', [hostOf(sink)]);
  const bytes = Buffer.from(`Subject: big\r\n\r\n${'.0123456789 the quick brown fox\r\n'.repeat(40_000)}`);
  const { ref } = await mail.blobs.put(
    (async function* () {
      yield bytes;
    })(),
    AbortSignal.timeout(5_000),
  );
  const id = await mail.send(['b@far.test'], {
    body: { kind: 'blob', ref },
    sizeBytes: bytes.length,
    trace: 'Received: x\r\n',
  });
  await mail.startDelivery();
  await statesAre(mail, id, 'delivered');
  assert.ok(sink.messages[0]?.raw.equals(Buffer.concat([Buffer.from('Received: x\r\n'), bytes])));
});

test('B17: an address in UTF-8 goes to a server with SMTPUTF8 only', async (t) => {
  const [knows, doesNot] = [await sinkFor(t), await sinkFor(t, { extensions: ['8BITMIME'] })];
  const mail = await openRemoteSystem(t);
  mail.way('far.test', [hostOf(knows)]);
  mail.way('old.test', [hostOf(doesNot)]);
  const [good, bad] = [await mail.send(['jürgen@far.test']), await mail.send(['jürgen@old.test'])];
  await mail.startDelivery();
  await statesAre(mail, good, 'delivered');
  await statesAre(mail, bad, 'failed');
  assert.match(knows.messages[0]?.mail ?? '', / SMTPUTF8/);
  assert.match((await mail.deliveries.ofMessage(bad))[0]?.lastReply ?? '', /^554 5\.6\.7 /);
});

test('what the sender asked of reports is passed on; a server that can’t pass it on makes the outcome `relayed`', async (t) => {
  const [dsn, plain] = [await sinkFor(t), await sinkFor(t, { extensions: ['8BITMIME'] })];
  const relayed: (boolean | undefined)[] = [];
  const mail = await openRemoteSystem(t, {
    wrap: (deps) => ({
      ...deps,
      deliveries: {
        ...deps.deliveries,
        record: (outcomes) => {
          for (const { result } of outcomes) relayed.push(result.kind === 'delivered' ? result.relayed : undefined);
          return deps.deliveries.record(outcomes);
        },
      },
    }),
  });
  mail.way('far.test', [hostOf(dsn)]);
  mail.way('old.test', [hostOf(plain)]);
  const envelope = { reversePath: 'a@here.test', smtputf8: false, body: '7BIT', envid: 'a+b', ret: 'HDRS' } as const;
  const wishes = { notify: ['SUCCESS'], originalRecipient: 'rfc822;first@here.test' } as const;
  const id = await mail.send([{ recipient: 'b@far.test', ...wishes }], { envelope });
  await mail.startDelivery();
  await statesAre(mail, id, 'delivered');
  assert.match(dsn.messages[0]?.mail ?? '', / RET=HDRS ENVID=a\+2Bb$/);
  assert.match(dsn.messages[0]?.rcpt[0] ?? '', / NOTIFY=SUCCESS ORCPT=rfc822;first@here\.test$/);
  const other = await mail.send([{ recipient: 'b@old.test', ...wishes }], { envelope });
  mail.ready();
  await statesAre(mail, other, 'delivered');
  assert.deepEqual(relayed, [undefined, true]);
});

test('a slow server doesn’t hold up mail to others', async (t) => {
  const [slow, quick] = [await sinkFor(t, { mail: silence }), await sinkFor(t)];
  const mail = await openRemoteSystem(t);
  mail.way('slow.test', [
    hostOf(slow, { group: 'slow.test', limits: { connections: 2, perConnection: 100, perSecond: 0 } }),
  ]);
  mail.way('quick.test', [hostOf(quick)]);
  const stuck = [await mail.send(['a@slow.test']), await mail.send(['b@slow.test'])];
  await mail.startDelivery({ batches: 4 });
  await until('the slow one is asked', waitMs, () => slow.openConnections > 0);
  const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => mail.send([`u${n}@quick.test`])));
  mail.ready();
  const startedMs = performance.now();
  for (const id of ids) await statesAre(mail, id, 'delivered');
  assert.ok(performance.now() - startedMs < 5_000);
  assert.deepEqual(await Promise.all(stuck.map(async (id) => (await mail.states(id)).join())), ['leased', 'leased']);
});

test('more recipients than a server takes go in several transactions, at once', async (t) => {
  let taken = 0;
  const sink = await sinkFor(t, {
    mail: () => {
      taken = 0;
      return undefined;
    },
    rcpt: () => (++taken > 4 ? '452 4.5.3 too many recipients' : undefined),
    extensions: ['8BITMIME', 'LIMITS RCPTMAX=8'],
  });
  const mail = await openRemoteSystem(t);
  mail.way('far.test', [hostOf(sink)]);
  const id = await mail.send(Array.from({ length: 20 }, (_, n) => `u${n}@far.test`));
  await mail.startDelivery();
  await statesAre(mail, id, Array.from({ length: 20 }, () => 'delivered').join());
  assert.equal(sink.connections.length, 1);
  assert.equal(sink.messages.flatMap(({ recipients }) => recipients).length, 20);
});

test('a connection that the server ends between two messages costs none of them an attempt', async (t) => {
  const sink = await sinkFor(t, {
    mail: ({ transaction }) =>
      transaction > 2 ? { reply: '421 4.7.0 enough for one connection', thenClose: true } : undefined,
  });
  const mail = await openRemoteSystem(t);
  mail.way('far.test', [hostOf(sink)]);
  const ids = [];
  for (let n = 0; n < 6; n++) ids.push(await mail.send([`u${n}@far.test`]));
  await mail.startDelivery({ batches: 1 });
  for (const id of ids) {
    await statesAre(mail, id, 'delivered');
    assert.equal((await mail.deliveries.ofMessage(id))[0]?.attempts, 1);
  }
  assert.equal(sink.connections.length, 3);
});
