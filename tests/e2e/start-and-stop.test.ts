import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const anyPorts = Object.fromEntries(
  ['HTTP', 'OPS', 'MX', 'SUBMISSION', 'SUBMISSIONS'].map((name) => [`WAYPOST_${name}_LISTEN`, '127.0.0.1:0']),
);

interface Started {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Exit code; null when a signal ended it. */
  ended: Promise<number | null>;
}

function waypost(t: TestContext, env: Record<string, string>, args: readonly string[] = ['start']): Started {
  const child = spawn(process.execPath, [join(root, 'services/main.ts'), ...args], {
    env: { ...process.env, ...anyPorts, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [out, err]: string[][] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (part: string) => out!.push(part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => err!.push(part));
  const ended = once(child, 'close').then(([code]: unknown[]) => (typeof code === 'number' ? code : null));
  return { child, stdout: () => out!.join(''), stderr: () => err!.join(''), ended };
}

async function running(t: TestContext, env: Record<string, string>): Promise<Started> {
  const started = waypost(t, env);
  await until('it runs', 30_000, () => {
    assert.equal(started.child.exitCode, null, started.stderr());
    return /Data .*\n/.test(started.stdout());
  });
  return started;
}

async function dataDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'waypost with space-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

function httpPort(started: Started): number {
  return Number(/HTTP API +http:\/\/127\.0\.0\.1:(\d+)/.exec(started.stdout())?.[1]);
}

async function terminate(started: Started): Promise<number | null> {
  started.child.kill('SIGTERM');
  return started.ended;
}

test('a password that the configuration gives is not printed', async (t) => {
  const env = {
    WAYPOST_DATA_DIR: await dataDir(t),
    WAYPOST_ADMIN_PASSWORD: 'not to be shown',
    WAYPOST_SAMPLE_ACCOUNTS: 'false',
  };
  const started = await running(t, env);
  await until('the commands are printed', 5000, () => started.stdout().split('\ncurl ').length === 3);
  assert.match(started.stdout(), /--user admin@example\.test /);
  assert.doesNotMatch(started.stdout() + started.stderr(), /not to be shown/);
  assert.equal(await terminate(started), 0);
});

test('a request under way may end within the grace period; a second signal ends the process at once', async (t) => {
  const started = await running(t, { WAYPOST_DATA_DIR: await dataDir(t), WAYPOST_GRACE_PERIOD: '60s' });
  const socket = connect(httpPort(started), '127.0.0.1').on('error', () => {});
  socket.write('GET /api/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'data');
  socket.write('GET /api/openapi.json HTTP/1.1\r\n');
  started.child.kill('SIGTERM');
  await until('it drains', 5000, () => started.stderr().includes('shutting down'));
  assert.equal(started.child.exitCode, null);
  // What comes within half a second of the first counts as the same signal.
  await until('a second signal ends it', 5000, () => !started.child.kill('SIGTERM') || started.child.exitCode !== null);
  assert.equal(await started.ended, 1);
});

test('an open event stream does not hold up the end', async (t) => {
  const started = await running(t, { WAYPOST_DATA_DIR: await dataDir(t), WAYPOST_GRACE_PERIOD: '60s' });
  await until('the commands are printed', 5000, () => started.stdout().split('\ncurl ').length === 3);
  const user = /--user (bob@\S+)/.exec(started.stdout())?.[1] ?? '';
  const stream = await fetch(`http://127.0.0.1:${httpPort(started)}/api/v1/accounts/me/events`, {
    headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` },
  });
  assert.equal(stream.status, 200);
  const begun = performance.now();
  assert.equal(await terminate(started), 0);
  assert.ok(performance.now() - begun < 20_000);
});

const wrong: readonly { name: string; env?: Record<string, string>; args?: string[]; code: number; says: RegExp }[] = [
  {
    name: 'a bad value',
    env: { WAYPOST_LOG_LEVEL: 'loud' },
    code: 1,
    says: /^The configuration is not right:\nWAYPOST_LOG_LEVEL: 'loud'/,
  },
  { name: 'an unknown name', env: { WAYPOST_HTTP_LISTENS: 'x' }, code: 1, says: /did you mean WAYPOST_HTTP_LISTEN\?/ },
  {
    name: 'no certificate',
    env: { WAYPOST_TLS_CERT_FILE: '/none', WAYPOST_TLS_KEY_FILE: '/none' },
    code: 1,
    says: /\/none: ENOENT/,
  },
  {
    name: 'an address of another machine',
    env: { WAYPOST_MX_LISTEN: '192.0.2.1:25' },
    code: 1,
    says: /192\.0\.2\.1:25 is not an address of this machine/,
  },
  { name: 'an unknown service', args: ['start', 'imap'], code: 2, says: /^usage: start/ },
  { name: 'an unknown command', args: ['begin'], code: 2, says: /^usage: start/ },
];

for (const { name, env, args, code, says } of wrong) {
  test(`a start with ${name} ends with a clear error`, async (t) => {
    const started = waypost(t, { WAYPOST_DATA_DIR: await dataDir(t), WAYPOST_LOG_LEVEL: 'error', ...env }, args);
    assert.equal(await started.ended, code);
    assert.match(started.stderr(), says);
    assert.equal(started.stdout(), '');
  });
}

test('a port in use is named', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const started = waypost(t, { WAYPOST_DATA_DIR: await dataDir(t), WAYPOST_HTTP_LISTEN: `127.0.0.1:${port}` });
  assert.equal(await started.ended, 1);
  assert.match(started.stderr(), new RegExp(`127\\.0\\.0\\.1:${port} is in use by another program`));
});
