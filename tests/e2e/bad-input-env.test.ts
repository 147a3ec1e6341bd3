import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { projectRoot, runCommand } from '../support/run-command.ts';

/** Never to be seen in what is printed. */
const secret = 'hunter2-hunter2-hunter2';

/** The environment, and what the message must say: the name, what is wrong with it, and the form that is expected. */
type BadEnvironment = readonly [env: Readonly<Record<string, string>>, name: string, wrong: RegExp, expected: RegExp];

const cases: readonly BadEnvironment[] = [
  // Names
  [{ WAYPOST_DOMIAN: 'example.org' }, 'WAYPOST_DOMIAN', /no such setting/, /did you mean WAYPOST_DOMAIN\?/],
  [{ WAYPOST_HTTP_PORT: '8080' }, 'WAYPOST_HTTP_PORT', /no such setting/, /./],
  [{ WAYPOST_SOMETHING_ELSE_ENTIRELY: '1' }, 'WAYPOST_SOMETHING_ELSE_ENTIRELY', /no such setting/, /configuration\.md/],
  [{ WAYPOST_DOMAIN_FILE: '/etc/hostname' }, 'WAYPOST_DOMAIN_FILE', /no such setting/, /configuration\.md/],
  [{ WAYPOST_QUEUE_PORT: 'tcp://10.0.0.1:80' }, 'WAYPOST_QUEUE_PORT', /no such setting/, /./],
  // Forms
  [{ WAYPOST_DOMAIN: 'not a domain' }, 'WAYPOST_DOMAIN', /'not a domain' has the wrong form/, /host name/],
  [{ WAYPOST_DOMAIN: 'user@example.org' }, 'WAYPOST_DOMAIN', /wrong form/, /host name/],
  [{ WAYPOST_HOSTNAME: '-mail.example.org' }, 'WAYPOST_HOSTNAME', /wrong form/, /host name/],
  [{ WAYPOST_HTTP_LISTEN: '8080' }, 'WAYPOST_HTTP_LISTEN', /'8080' has the wrong form/, /host:port/],
  [{ WAYPOST_HTTP_LISTEN: '127.0.0.1:99999' }, 'WAYPOST_HTTP_LISTEN', /wrong form/, /host:port/],
  [{ WAYPOST_MX_LISTEN: '127.0.0.1:-25' }, 'WAYPOST_MX_LISTEN', /wrong form/, /or off/],
  [{ WAYPOST_SUBMISSION_LISTEN: 'none' }, 'WAYPOST_SUBMISSION_LISTEN', /wrong form/, /or off/],
  [{ WAYPOST_LMTP_LISTEN: '[::1:24' }, 'WAYPOST_LMTP_LISTEN', /wrong form/, /\[IPv6\]:port/],
  [{ WAYPOST_OPS_LISTEN: '127.0.0.1:port' }, 'WAYPOST_OPS_LISTEN', /wrong form/, /host:port/],
  [{ WAYPOST_PRODUCTION: 'yes' }, 'WAYPOST_PRODUCTION', /'yes' has the wrong form/, /true or false/],
  [{ WAYPOST_SAMPLE_ACCOUNTS: '1' }, 'WAYPOST_SAMPLE_ACCOUNTS', /wrong form/, /true or false/],
  [{ WAYPOST_LOG_LEVEL: 'loud' }, 'WAYPOST_LOG_LEVEL', /wrong form/, /one of .*info/],
  [{ WAYPOST_MAX_MESSAGE_BYTES: '50MB' }, 'WAYPOST_MAX_MESSAGE_BYTES', /wrong form/, /number of bytes/],
  [{ WAYPOST_MAX_MESSAGE_BYTES: '10' }, 'WAYPOST_MAX_MESSAGE_BYTES', /wrong form/, /from 65536/],
  [{ WAYPOST_MAX_MESSAGE_BYTES: '999999999999' }, 'WAYPOST_MAX_MESSAGE_BYTES', /wrong form/, /to 1073741824/],
  [{ WAYPOST_EXPIRE_AFTER: 'five days' }, 'WAYPOST_EXPIRE_AFTER', /wrong form/, /duration/],
  [{ WAYPOST_EXPIRE_AFTER: '5' }, 'WAYPOST_EXPIRE_AFTER', /wrong form/, /such as .*5d/],
  [{ WAYPOST_SWEEP_INTERVAL: '0s' }, 'WAYPOST_SWEEP_INTERVAL', /wrong form/, /from 100ms/],
  [{ WAYPOST_GRACE_PERIOD: '-30s' }, 'WAYPOST_GRACE_PERIOD', /wrong form/, /duration/],
  [{ WAYPOST_RETRY_SCHEDULE: '30m,,1h' }, 'WAYPOST_RETRY_SCHEDULE', /wrong form/, /comma-separated/],
  [
    { WAYPOST_TRUSTED_NETWORKS: '10.0.0.0/33' },
    'WAYPOST_TRUSTED_NETWORKS',
    /'10\.0\.0\.0\/33' has the wrong form/,
    /CIDR/,
  ],
  [{ WAYPOST_TRUSTED_NETWORKS: 'localhost' }, 'WAYPOST_TRUSTED_NETWORKS', /wrong form/, /CIDR/],
  [{ WAYPOST_TRUSTED_PROXIES: '10.0.0.0/8;10.1.0.0/16' }, 'WAYPOST_TRUSTED_PROXIES', /wrong form/, /comma-separated/],
  [{ WAYPOST_DNS_SERVERS: 'dns.example.org' }, 'WAYPOST_DNS_SERVERS', /wrong form/, /host:port/],
  [{ WAYPOST_BLOBS_URL: '/var/blobs' }, 'WAYPOST_BLOBS_URL', /wrong form/, /file:/],
  [{ WAYPOST_API_URL: 'localhost:8080' }, 'WAYPOST_API_URL', /wrong form/, /http:/],
  // Secrets: the value is never shown
  [{ WAYPOST_ROUTES: `*=smtp://user:${secret}@nowhere` }, 'WAYPOST_ROUTES', /not shown/, /smtp:\/\//],
  [
    { WAYPOST_MONGODB_URL: `http://user:${secret}@db/`, WAYPOST_NATS_URL: 'nats://127.0.0.1' },
    'WAYPOST_MONGODB_URL',
    /not shown/,
    /mongodb:/,
  ],
  [{ WAYPOST_ADMIN_PASSWORD: secret.slice(0, 7) }, 'WAYPOST_ADMIN_PASSWORD', /not shown/, /10 to 1024/],
  [
    { WAYPOST_ADMIN_PASSWORD: secret, WAYPOST_ADMIN_PASSWORD_FILE: '/etc/hostname' },
    'WAYPOST_ADMIN_PASSWORD',
    /_FILE is given too/,
    /only one/,
  ],
  [
    { WAYPOST_ADMIN_PASSWORD_FILE: '/nowhere/password' },
    'WAYPOST_ADMIN_PASSWORD_FILE',
    /can't be read \(ENOENT\)/,
    /a file/,
  ],
  [{ WAYPOST_ADMIN_PASSWORD_FILE: '/' }, 'WAYPOST_ADMIN_PASSWORD_FILE', /can't be read \(EISDIR\)/, /a file/],
  // What can't be together
  [{ WAYPOST_MONGODB_URL: `mongodb://user:${secret}@127.0.0.1/` }, 'WAYPOST_NATS_URL', /without it/, /both .* neither/],
  [{ WAYPOST_NATS_URL: 'nats://127.0.0.1' }, 'WAYPOST_MONGODB_URL', /without it/, /both .* neither/],
  [
    { WAYPOST_MONGODB_URL: `mongodb://user:${secret}@db.example.org/`, WAYPOST_NATS_URL: 'nats://127.0.0.1' },
    'WAYPOST_MONGODB_URL',
    /without TLS/,
    /WAYPOST_ALLOW_PLAINTEXT_BACKENDS/,
  ],
  [{ WAYPOST_PRODUCTION: 'true' }, 'WAYPOST_ADMIN_PASSWORD_FILE', /production/, /a file with the password/],
  [
    { WAYPOST_PRODUCTION: 'true', WAYPOST_ADMIN_PASSWORD: secret, WAYPOST_SAMPLE_ACCOUNTS: 'true' },
    'WAYPOST_SAMPLE_ACCOUNTS',
    /true in production/,
    /false/,
  ],
  [{ WAYPOST_TLS_CERT_FILE: '/etc/hostname' }, 'WAYPOST_TLS_KEY_FILE', /other half/, /certificate and key/],
  [
    { WAYPOST_BLOBS_URL: 's3://bucket?endpoint=http://x' },
    'WAYPOST_BLOBS_URL',
    /needs keys/,
    /WAYPOST_BLOBS_ACCESS_KEY/,
  ],
  [{ WAYPOST_BLOBS_URL: 'gridfs:' }, 'WAYPOST_BLOBS_URL', /part of MongoDB/, /WAYPOST_MONGODB_URL/],
  [
    { WAYPOST_MX_LISTEN: '127.0.0.1:2500', WAYPOST_HTTP_LISTEN: '127.0.0.1:2500' },
    'WAYPOST_MX_LISTEN',
    /same address as WAYPOST_HTTP_LISTEN/,
    /its own/,
  ],
  [{ WAYPOST_DELAY_NOTICE_AFTER: '6d' }, 'WAYPOST_DELAY_NOTICE_AFTER', /longer than WAYPOST_EXPIRE_AFTER/, /shorter/],
];

describe('a wrong environment stops the start', { concurrency: 2 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-env-'));
  after(() => rmSync(folder, { recursive: true }));
  const dataDir = join(folder, 'data');

  const start = (env: Readonly<Record<string, string>>) =>
    runCommand(process.execPath, ['services/main.ts', 'start'], { env: { WAYPOST_DATA_DIR: dataDir, ...env } });

  for (const [env, name, wrong, expected] of cases) {
    it(`${Object.entries(env)
      .map(([key, value]) => `${key}=${value}`)
      .join(' ')}: the message names ${name}`, async () => {
      const { code, stdout, stderr } = await start(env);
      assert.equal(code, 1, stderr);
      assert.equal(stdout, '');
      const lines = stderr.trimEnd().split('\n');
      assert.equal(lines.shift(), 'The configuration is not right:');
      const line = lines.find((each) => each.startsWith(`${name}: `));
      assert.ok(line !== undefined, stderr);
      const [, said = '', form = ''] = /^\S+: (.*)\. Expected: (.*)$/.exec(line) ?? [];
      assert.match(said, wrong);
      assert.match(form, expected);
      assert.doesNotMatch(stderr, /hunter2/, 'no secret is shown');
      assert.doesNotMatch(stderr, /^\s+at /m, 'no stack');
      assert.equal(existsSync(dataDir), false, 'nothing was begun');
    });
  }

  it('all that is wrong is said at once, and names for tests are none of its business', async () => {
    const { code, stderr } = await start({
      WAYPOST_DOMIAN: 'x',
      WAYPOST_PRODUCTION: 'yes',
      WAYPOST_MX_LISTEN: 'x',
      WAYPOST_TEST_ANYTHING: '1',
    });
    assert.equal(code, 1);
    assert.deepEqual(
      stderr
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.slice(0, line.indexOf(':')))
        .toSorted(),
      ['WAYPOST_DOMIAN', 'WAYPOST_MX_LISTEN', 'WAYPOST_PRODUCTION'],
    );
  });

  it('a service that is not there gets the usage and exit code 2', async () => {
    const { code, stderr } = await runCommand(process.execPath, ['services/main.ts', 'start', 'mailbix'], {
      cwd: projectRoot,
    });
    assert.equal(code, 2);
    assert.match(stderr, /^usage: start \[service …\]/);
    assert.match(stderr, /mailbox/);
  });
});
