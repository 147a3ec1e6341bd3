import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { authority, selfSigned, tlsaData } from '../../../tests/support/smtp-sink/certificates.ts';
import { never, openTo, outgoing } from '../../../tests/support/smtp-sink/client-fixture.ts';
import { type Sink, type SinkScript, startSink } from '../../../tests/support/smtp-sink/sink.ts';
import { until } from '../../../tests/support/until.ts';
import { AuthFailed, ProtocolFailure, SessionRefused, TlsFailed } from './failures.ts';
import type { TlsPolicy, TlsVerification } from './tls.ts';

const sinks: Sink[] = [];
after(() => Promise.all(sinks.map((sink) => sink.close())));

async function sinkWith(script: SinkScript): Promise<Sink> {
  const sink = await startSink(script);
  sinks.push(sink);
  return sink;
}

const own = authority();
const good = own.issue(['mx.sink.test', '*.wild.test']);
const deep = own.issue(['a.b.deep.test']);
const fromElsewhere = authority().issue(['mx.sink.test']);
/** Of another authority of the same name, sent with the certificate of ours. */
const forged = {
  ...fromElsewhere,
  cert: fromElsewhere.cert.slice(0, fromElsewhere.cert.indexOf('-----BEGIN', 10)) + own.ca,
};
const none: TlsVerification = { kind: 'none' };
const name = (...names: string[]): TlsVerification => ({ kind: 'name', names });
const tls = (mode: TlsPolicy['mode'], verify: TlsVerification, ca?: string): { tls: TlsPolicy } => ({
  tls: { mode, verify, ...(ca !== undefined && { ca }) },
});
const starttls = (pair: { cert: string; key: string }): SinkScript => ({ tls: { mode: 'starttls', ...pair } });

test('STARTTLS: everything is asked again after the handshake, and the mail goes encrypted', async () => {
  const sink = await sinkWith({
    ...starttls(good),
    ehlo: ({ secure }) => (secure ? '250-sink\r\n250 SIZE 77' : '250-sink\r\n250-SIZE 5\r\n250-DSN\r\n250 STARTTLS'),
  });
  const session = await openTo(sink, tls('required', name('mx.sink.test'), own.ca));
  assert.deepEqual(
    [session.capabilities.maxSizeBytes, session.capabilities.dsn, session.capabilities.startTls],
    [77, false, false],
  );
  const { protocol, encrypted, authorized, peerName, resultType } = session.tls;
  assert.deepEqual(
    { protocol, encrypted, authorized, peerName, resultType },
    { protocol: 'TLSv1.3', encrypted: true, authorized: true, peerName: 'mx.sink.test', resultType: undefined },
  );
  const { outcomes } = await session.send(outgoing(), { signal: never });
  assert.equal(outcomes[0]!.kind, 'delivered');
  assert.equal(sink.messages[0]!.secure, true);
  await session.quit();
});

test('implicit TLS is there from the first octet', async () => {
  const sink = await sinkWith({ tls: { mode: 'implicit', ...good } });
  const session = await openTo(sink, tls('implicit', name('mx.sink.test'), own.ca));
  assert.equal((await session.send(outgoing(), { signal: never })).outcomes[0]!.kind, 'delivered');
  await session.quit();
  await until('the connection is closed', 2000, () => sink.openConnections === 0);
});

test('opportunistic TLS takes any certificate, and plain text where there is no STARTTLS', async () => {
  const sink = await sinkWith(starttls(selfSigned(['other.test'], -1)));
  const session = await openTo(sink, tls('opportunistic', none));
  assert.deepEqual([session.tls.encrypted, session.tls.authorized, session.tls.resultType], [true, false, undefined]);
  await session.quit();
  sink.script = {};
  const plain = await openTo(sink, tls('opportunistic', none));
  assert.deepEqual(plain.tls, { encrypted: false, authorized: false, resultType: 'starttls-not-supported' });
  await plain.quit();
});

test('an opportunistic check that fails is noted, and the mail goes (MTA-STS in testing mode)', async () => {
  const sink = await sinkWith(starttls(good));
  const session = await openTo(sink, tls('opportunistic', name('elsewhere.test'), own.ca));
  assert.equal(session.tls.resultType, 'certificate-host-mismatch');
  await session.quit();
});

test('what is refused after the handshake is closed like the rest', async () => {
  const sink = await sinkWith({ ...starttls(good), login: { user: 'u', password: 'p' } });
  const wrongLogin = openTo(sink, { ...tls('required', none), auth: { user: 'u', password: 'other' } });
  await assert.rejects(wrongLogin, AuthFailed);
  sink.script = { ...sink.script, ehlo: ({ secure }) => (secure ? '451 4.3.0 later' : undefined) };
  await assert.rejects(openTo(sink, tls('opportunistic', none)), SessionRefused);
  await until('the connections are closed', 2000, () => sink.openConnections === 0);
});

const broken: [string, SinkScript][] = [
  ['garbage instead of a handshake', { ...starttls(good), handshake: 'garbage' }],
  ['a connection closed in the handshake', { ...starttls(good), handshake: 'close' }],
  ['a handshake that never ends', { ...starttls(good), handshake: 'silence' }],
  ['454 to STARTTLS', { ...starttls(good), startTls: '454 4.7.0 not now' }],
  ['only an old protocol', { tls: { mode: 'starttls', ...good, maxVersion: 'TLSv1.2' } }],
];

for (const [what, script] of broken) {
  test(`${what}: opportunistic may come again in plain text on a new connection, required never`, async () => {
    const sink = await sinkWith(script);
    for (const [mode, again] of [
      ['opportunistic', true],
      ['required', false],
    ] as const) {
      const policy: TlsPolicy = { mode, verify: none, minVersion: what.includes('old') ? 'TLSv1.3' : 'TLSv1.2' };
      await assert.rejects(
        openTo(sink, { tls: policy, timeLimits: { hello: 300 } }),
        (error) => error instanceof TlsFailed && error.retryWithoutTls === again,
      );
    }
    await until('the connections are closed', 2000, () => sink.openConnections === 0);
    assert.ok(
      sink.connections.every(({ commands }) => commands.at(-1) === 'STARTTLS'),
      'nothing in plain text after STARTTLS',
    );
  });
}

test('required TLS is never done without: no STARTTLS, no session', async () => {
  const sink = await sinkWith({ ehlo: '502 no', ...starttls(good) });
  await assert.rejects(
    openTo(sink, tls('required', none)),
    (error) => error instanceof TlsFailed && error.resultType === 'starttls-not-supported' && !error.retryWithoutTls,
  );
});

const injections: [string, string][] = [
  ['a whole reply', '220 go\r\n250 injected\r\n'],
  ['a part of a reply', '220 go\r\n250-inj'],
  ['an EHLO answer', '220 go\r\n250-sink\r\n250 AUTH PLAIN\r\n'],
];

for (const [what, bytes] of injections) {
  test(`${what} that comes before the handshake is an injection: the connection is closed`, async () => {
    const sink = await sinkWith({ ...starttls(good), startTls: { bytes } });
    await assert.rejects(openTo(sink, tls('opportunistic', none)), ProtocolFailure);
    await until('the connection is closed', 2000, () => sink.openConnections === 0);
  });
}

const wrong: [string, string, { cert: string; key: string }, TlsVerification, string | undefined][] = [
  ['expired', 'certificate-expired', selfSigned(['mx.sink.test'], -1), name('mx.sink.test'), 'own'],
  ['self-signed', 'certificate-not-trusted', selfSigned(['mx.sink.test']), name('mx.sink.test'), undefined],
  ['of an unknown authority', 'certificate-not-trusted', good, name('mx.sink.test'), undefined],
  ['for another name', 'certificate-host-mismatch', good, name('mx2.sink.test'), own.ca],
  ['for a wildcard of one level', 'certificate-host-mismatch', good, name('a.b.wild.test'), own.ca],
  ['of two levels, for a pattern of one', 'certificate-host-mismatch', deep, name('*.deep.test'), own.ca],
  ['with an anchor that never signed it', 'validation-failure', forged, dane(2, 0, tlsaData(own.ca, 0)), undefined],
  [
    'not the one of the TLSA record',
    'validation-failure',
    good,
    dane(3, 1, tlsaData(selfSigned(['x.test']).cert, 1)),
    undefined,
  ],
  ['not of the TLSA record’s anchor', 'validation-failure', good, dane(2, 0, tlsaData(authority().ca, 0)), undefined],
  [
    'of the anchor, for another name',
    'validation-failure',
    good,
    dane(2, 0, tlsaData(own.ca, 0), 'mx2.sink.test'),
    undefined,
  ],
];

function dane(usage: number, selector: number, data: Buffer, server = 'mx.sink.test'): TlsVerification {
  return { kind: 'dane', records: [{ usage, selector, matchingType: 1, data }], names: [server] };
}

for (const [what, resultType, pair, verify, ca] of wrong) {
  test(`a certificate ${what} is no session where a check is required, and its result type is ${resultType}`, async () => {
    const sink = await sinkWith(starttls(pair));
    const trusted = ca === 'own' ? pair.cert : ca;
    await assert.rejects(openTo(sink, tls('required', verify, trusted)), (error) => {
      assert.ok(error instanceof TlsFailed);
      assert.deepEqual([error.resultType, error.retryWithoutTls], [resultType, false]);
      return true;
    });
    await until('the connection is closed', 2000, () => sink.openConnections === 0);
  });
}

const right: [string, { cert: string; key: string }, TlsVerification, string | undefined][] = [
  ['a name of the certificate', good, name('other.test', 'mx.sink.test'), own.ca],
  ['a wildcard of the certificate', good, name('a.wild.test'), own.ca],
  ['a pattern of the policy', good, name('*.sink.test'), own.ca],
  ['DANE-EE by key, whatever its name and dates', selfSigned(['x.test'], -1), 'leaf-key' as never, undefined],
  ['DANE-EE by certificate', good, dane(3, 0, tlsaData(good.cert, 0)), undefined],
  ['DANE-TA', good, dane(2, 0, tlsaData(own.ca, 0)), undefined],
];

for (const [what, pair, verify, ca] of right) {
  test(`${what} will do`, async () => {
    const sink = await sinkWith(starttls(pair));
    const asked = typeof verify === 'string' ? dane(3, 1, tlsaData(pair.cert, 1)) : verify;
    const session = await openTo(sink, tls('required', asked, ca));
    assert.deepEqual([session.tls.authorized, session.tls.resultType], [true, undefined]);
    await session.quit();
  });
}

test('TLSA records that can’t be used ask for encryption alone (RFC 7672 §2.2)', async () => {
  const sink = await sinkWith(starttls(good));
  const session = await openTo(sink, tls('required', dane(1, 0, tlsaData(good.cert, 0))));
  assert.deepEqual([session.tls.authorized, session.tls.resultType], [false, 'tlsa-invalid']);
  await session.quit();
});
