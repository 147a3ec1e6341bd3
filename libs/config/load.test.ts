import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { InvalidConfig } from './invalid-config.ts';
import { loadConfig } from './load.ts';

test('the administrator’s password is one that can be logged in with, kept as it is', () => {
  const given = (password: string) => loadConfig({ WAYPOST_ADMIN_PASSWORD: password }).adminPassword;
  assert.equal(given(' a pass phrase '), ' a pass phrase ');
  for (const password of ['too short', 'ü'.repeat(600), '\ud800'.repeat(20)]) {
    assert.throws(
      () => given(password),
      (error) => error instanceof InvalidConfig && !error.message.includes(password),
    );
  }
});

test('an empty environment gives the documented defaults, frozen', () => {
  const config = loadConfig({});
  assert.equal(config.domain, 'example.test');
  assert.equal(config.hostname, 'mail.example.test');
  assert.equal(config.dataDir, resolve('data'));
  assert.deepEqual(config.httpListen, { host: '127.0.0.1', port: 8080 });
  assert.equal(config.lmtpListen, 'off');
  assert.deepEqual(config.retryScheduleMs, [1_800_000]);
  assert.equal(config.expireAfterMs, 5 * 86_400_000);
  assert.equal(config.maxMessageBytes, 52_428_800);
  assert.equal(config.sampleAccounts, true);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.httpListen) && Object.isFrozen(config.retryScheduleMs));
});

test('values are read in every form that the documentation names', () => {
  const config = loadConfig({
    WAYPOST_HTTP_LISTEN: '[::1]:0',
    WAYPOST_MX_LISTEN: ':25',
    WAYPOST_RETRY_SCHEDULE: '500s, 30m,2h',
    WAYPOST_TRUSTED_NETWORKS: '10.0.0.0/8,2001:db8::/32,192.0.2.7',
    WAYPOST_ROUTES:
      'Example.Org=smtps://u%40x:p%3Aw@10.0.0.1:465,*=lmtp://[2001:db8::1]:24,from:Ann@Bücher.example=smtp://r.test:25?tls=verified',
    WAYPOST_DNS_SERVERS: '192.0.2.1,192.0.2.2:5353,2001:db8::53',
    WAYPOST_TEST_ANYTHING: 'is ignored',
    WAYPOST_LOG_LEVEL: '',
  });
  assert.deepEqual(config.httpListen, { host: '::1', port: 0 });
  assert.deepEqual(config.mxListen, { host: '', port: 25 });
  assert.deepEqual(config.retryScheduleMs, [500_000, 1_800_000, 7_200_000]);
  assert.deepEqual(config.trustedNetworks, ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7/32']);
  assert.deepEqual(config.routes, [
    {
      domain: 'example.org',
      sender: undefined,
      tls: undefined,
      scheme: 'smtps',
      host: '10.0.0.1',
      port: 465,
      username: 'u@x',
      password: 'p:w',
    },
    {
      domain: '*',
      sender: undefined,
      tls: undefined,
      scheme: 'lmtp',
      host: '2001:db8::1',
      port: 24,
      username: undefined,
      password: undefined,
    },
    {
      domain: '*',
      sender: 'ann@xn--bcher-kva.example',
      tls: 'verified',
      scheme: 'smtp',
      host: 'r.test',
      port: 25,
      username: undefined,
      password: undefined,
    },
  ]);
  assert.deepEqual(config.dnsServers, [
    { host: '192.0.2.1', port: 53 },
    { host: '192.0.2.2', port: 5353 },
    { host: '2001:db8::53', port: 53 },
  ]);
  assert.equal(config.logLevel, 'info');
});

test('a secret is read from its file, without the last line end', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'waypost-config-')), 'password');
  writeFileSync(file, 'correct horse\n');
  assert.equal(loadConfig({ WAYPOST_ADMIN_PASSWORD_FILE: file }).adminPassword, 'correct horse');
});

const tls = 'mongodb://db.example/?tls=true';
const s3Keys = { WAYPOST_BLOBS_ACCESS_KEY: 'key', WAYPOST_BLOBS_SECRET_KEY: 'tell-nobody' };

/** What is given, and what the message must name. */
const wrong: readonly [Record<string, string>, RegExp][] = [
  [
    { WAYPOST_DOMIAN: 'a.example' },
    /^WAYPOST_DOMIAN: there is no such setting\. Expected: did you mean WAYPOST_DOMAIN\?$/,
  ],
  [{ WAYPOST_QUEUE_PORT_9090_TCP_ADDR: 'x' }, /no such setting\. Expected: a name from docs\/configuration\.md$/],
  [{ WAYPOST_DOMAIN: '-bad-.example' }, /WAYPOST_DOMAIN: '-bad-\.example' has the wrong form/],
  [{ WAYPOST_HOSTNAME: 'under_score.example' }, /WAYPOST_HOSTNAME/],
  [{ WAYPOST_HTTP_LISTEN: '8080' }, /WAYPOST_HTTP_LISTEN: '8080'.*host:port/],
  [{ WAYPOST_HTTP_LISTEN: '127.0.0.1:65536' }, /WAYPOST_HTTP_LISTEN/],
  [{ WAYPOST_HTTP_LISTEN: '::1:8080' }, /WAYPOST_HTTP_LISTEN/],
  [{ WAYPOST_MX_LISTEN: 'OFF' }, /WAYPOST_MX_LISTEN/],
  [{ WAYPOST_MX_LISTEN: '127.0.0.1:8080' }, /WAYPOST_MX_LISTEN: the same address as WAYPOST_HTTP_LISTEN/],
  [{ WAYPOST_MONGODB_URL: tls }, /WAYPOST_NATS_URL: WAYPOST_MONGODB_URL is given without it/],
  [{ WAYPOST_NATS_URL: 'nats://127.0.0.1' }, /WAYPOST_MONGODB_URL: WAYPOST_NATS_URL is given without it/],
  [
    { WAYPOST_MONGODB_URL: 'mongodb://db.example', WAYPOST_NATS_URL: 'tls://n' },
    /WAYPOST_MONGODB_URL: a host off loopback/,
  ],
  [{ WAYPOST_MONGODB_URL: 'mongodb://127.0.0.1,u:p@db.example:1', WAYPOST_NATS_URL: 'tls://n' }, /off loopback/],
  [{ WAYPOST_MONGODB_URL: tls, WAYPOST_NATS_URL: 'tls://u:p@n', WAYPOST_NATS_TOKEN: 't' }, /one way to log in to NATS/],
  [{ WAYPOST_NATS_NKEY: 'SUA' }, /WAYPOST_NATS_NKEY: the value \(not shown\) has the wrong form/],
  [{ WAYPOST_MONGODB_URL: tls, WAYPOST_NATS_URL: 'nats://127.0.0.1,nats://n.example' }, /WAYPOST_NATS_URL: a host off/],
  [
    { WAYPOST_MONGODB_URL: 'http://db.example', WAYPOST_NATS_URL: 'tls://n' },
    /WAYPOST_MONGODB_URL: the value \(not shown\)/,
  ],
  [{ WAYPOST_BLOBS_URL: 'ftp://x' }, /WAYPOST_BLOBS_URL/],
  [{ WAYPOST_BLOBS_URL: 's3://bucket?endpoint=x' }, /WAYPOST_BLOBS_ACCESS_KEY/],
  [{ WAYPOST_BLOBS_URL: 's3://bucket?endpoint=x', ...s3Keys }, /WAYPOST_BLOBS_URL: .*s3:\/\/bucket\?endpoint=https/],
  [
    { WAYPOST_BLOBS_URL: 's3://bucket?endpoint=http://s3.example', ...s3Keys },
    /WAYPOST_BLOBS_URL: an endpoint off loopback without TLS.*WAYPOST_ALLOW_PLAINTEXT_BACKENDS/,
  ],
  [{ WAYPOST_BLOBS_URL: 'gridfs:' }, /WAYPOST_MONGODB_URL/],
  [{ WAYPOST_ADMIN_PASSWORD: 'short' }, /WAYPOST_ADMIN_PASSWORD: the value \(not shown\).*10 to 1024/],
  [{ WAYPOST_ADMIN_PASSWORD_FILE: '/nowhere/password' }, /WAYPOST_ADMIN_PASSWORD_FILE: .*ENOENT/],
  [{ WAYPOST_ADMIN_PASSWORD: 'long enough', WAYPOST_ADMIN_PASSWORD_FILE: '/x' }, /only one of the two/],
  [{ WAYPOST_SAMPLE_ACCOUNTS: 'yes' }, /WAYPOST_SAMPLE_ACCOUNTS: 'yes'.*true or false/],
  [{ WAYPOST_PRODUCTION: 'true' }, /WAYPOST_ADMIN_PASSWORD_FILE: production needs/],
  [
    { WAYPOST_PRODUCTION: 'true', WAYPOST_ADMIN_PASSWORD: 'long enough', WAYPOST_SAMPLE_ACCOUNTS: 'true' },
    /true in production/,
  ],
  [{ WAYPOST_TLS_CERT_FILE: '/c.pem' }, /WAYPOST_TLS_KEY_FILE/],
  [{ WAYPOST_TLS_KEY_FILE: '/k.pem' }, /WAYPOST_TLS_CERT_FILE/],
  [{ WAYPOST_TRUSTED_NETWORKS: '10.0.0.0/33' }, /WAYPOST_TRUSTED_NETWORKS/],
  [{ WAYPOST_TRUSTED_PROXIES: 'proxy.example' }, /WAYPOST_TRUSTED_PROXIES.*CIDR/],
  [{ WAYPOST_PROXY_PROTOCOL_NETWORKS: '10.0.0.1,,10.0.0.2' }, /WAYPOST_PROXY_PROTOCOL_NETWORKS/],
  [{ WAYPOST_ROUTES: 'example.org=smtp://user:tell-nobody@host' }, /WAYPOST_ROUTES: the value \(not shown\)/],
  [{ WAYPOST_ROUTES: 'example.org=http://10.0.0.1:25' }, /WAYPOST_ROUTES/],
  [{ WAYPOST_ROUTES: 'example.org=smtp://10.0.0.1:25?tls=maybe' }, /WAYPOST_ROUTES/],
  [{ WAYPOST_ROUTES: 'example.org=smtps://10.0.0.1:465?tls=never' }, /WAYPOST_ROUTES/],
  [{ WAYPOST_ROUTES: 'from:a b=smtp://10.0.0.1:25' }, /WAYPOST_ROUTES/],
  [{ WAYPOST_DNS_SERVERS: 'dns.example' }, /WAYPOST_DNS_SERVERS/],
  [{ WAYPOST_RETRY_SCHEDULE: '30' }, /WAYPOST_RETRY_SCHEDULE.*such as/],
  [{ WAYPOST_RETRY_SCHEDULE: '30m,0s' }, /WAYPOST_RETRY_SCHEDULE/],
  [{ WAYPOST_EXPIRE_AFTER: '5 days' }, /WAYPOST_EXPIRE_AFTER/],
  [{ WAYPOST_EXPIRE_AFTER: '1h' }, /WAYPOST_DELAY_NOTICE_AFTER: longer than WAYPOST_EXPIRE_AFTER/],
  [{ WAYPOST_MAX_MESSAGE_BYTES: '50MB' }, /WAYPOST_MAX_MESSAGE_BYTES.*number of bytes/],
  [{ WAYPOST_MAX_MESSAGE_BYTES: '-1' }, /WAYPOST_MAX_MESSAGE_BYTES/],
  [{ WAYPOST_GRACE_PERIOD: '1d' }, /WAYPOST_GRACE_PERIOD.*from 100ms to 30m/],
  [{ WAYPOST_LOG_LEVEL: 'verbose' }, /WAYPOST_LOG_LEVEL: 'verbose'.*one of trace, debug, info/],
  [{ WAYPOST_API_URL: '127.0.0.1:8080' }, /WAYPOST_API_URL/],
];

test('S3 without TLS is taken on loopback, or where plain backends are allowed', () => {
  for (const env of [
    { WAYPOST_BLOBS_URL: 's3://bucket?endpoint=http://127.0.0.1:9000' },
    { WAYPOST_BLOBS_URL: 's3://bucket?endpoint=http://[::1]:9000' },
    { WAYPOST_BLOBS_URL: 's3://bucket?endpoint=https://s3.example' },
    { WAYPOST_BLOBS_URL: 's3://bucket?endpoint=http://s3.example', WAYPOST_ALLOW_PLAINTEXT_BACKENDS: 'true' },
  ])
    assert.equal(loadConfig({ ...env, ...s3Keys }).blobsUrl, env.WAYPOST_BLOBS_URL);
});

for (const [env, message] of wrong) {
  test(`the start stops with a clear message for ${JSON.stringify(env)}`, () => {
    assert.throws(
      () => loadConfig(env),
      (error) => {
        assert.ok(error instanceof InvalidConfig);
        assert.match(error.message, message);
        assert.equal(error.problems.length, 1);
        assert.doesNotMatch(error.message, /tell-nobody|short\b|long enough/);
        return true;
      },
    );
  });
}

test('all problems are reported at once', () => {
  assert.throws(
    () => loadConfig({ WAYPOST_LOG_LEVEL: 'x', WAYPOST_NOSUCH: 'y', WAYPOST_PRODUCTION: 'maybe' }),
    (error) => error instanceof InvalidConfig && error.problems.length === 3,
  );
});
