import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isRequired } from '../backends/unavailable.ts';
import { apiClient } from '../support/api-client.ts';
import { printedAccounts, printedCommands } from '../support/first-start.ts';
import { freePorts } from '../support/free-ports.ts';
import { arrived } from '../support/reading.ts';
import { projectRoot, runCommand } from '../support/run-command.ts';
import { until } from '../support/until.ts';
import { serverBinary } from '../../tools/servers/binaries.ts';

const skip = await whyNot();

describe('npm run cluster', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-cluster-'));
  let cluster: RunningCluster;
  let firstPrint: string;
  let accounts: Map<string, string>;

  before(async () => {
    cluster = await startCluster(folder, ['--copies', 'mailbox=2']);
    firstPrint = cluster.stdout();
    accounts = printedAccounts(firstPrint);
  });
  after(async () => {
    await cluster.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  const bob = () =>
    apiClient(cluster.api, { address: 'bob@example.test', password: accounts.get('bob@example.test')! });

  it('prints the text of a first start, whose three commands work as they are pasted', async () => {
    assert.deepEqual([...accounts.keys()].toSorted(), ['admin@example.test', 'alice@example.test', 'bob@example.test']);
    const commands = printedCommands(firstPrint);
    assert.equal(commands.length, 3, firstPrint);
    const [send, list, read] = commands as [string, string, string];
    const sent = await shell(send);
    assert.deepEqual([sent.code, sent.stderr], [0, '']);
    await arrived(bob(), 'Hello');
    assert.equal(JSON.parse((await shell(list)).stdout).items[0].subject, 'Hello');
    assert.equal(JSON.parse((await shell(read)).stdout).text.trim(), 'It works.');
  });

  it('says where each process is, with an operations address that is ready', async () => {
    const processes = printedProcesses(firstPrint);
    const services = ['auth', 'delivery', 'ingress', 'mailbox', 'mailbox-2', 'queue'];
    const servers = ['mongod-1', 'mongod-2', 'mongod-3', 'nats-server'];
    assert.deepEqual([...processes.keys()].toSorted(), [...services, ...servers].toSorted());
    for (const name of services) assert.equal((await fetch(processes.get(name)!.address)).status, 200, name);
    const ports = ['ingress', 'queue', 'delivery', 'mailbox', 'auth'].map(
      (name) => Number(new URL(processes.get(name)!.address).port) - cluster.ops,
    );
    assert.deepEqual(ports, [0, 1, 2, 3, 4]);
  });

  it('gives no service more rights than it uses: none was refused anything', () => {
    const logs = join(folder, 'logs');
    for (const file of readdirSync(logs).filter((name) => !/^(mongod|nats)/.test(name))) {
      assert.doesNotMatch(readFileSync(join(logs, file), 'utf8'), /not authorized|no right to a subject/i, file);
    }
  });

  it('starts a service again that was killed, and mail goes on', async () => {
    const { pid } = printedProcesses(firstPrint).get('mailbox')!;
    process.kill(pid, 'SIGKILL');
    await until('it runs again', 30_000, () => cluster.stderr().includes('mailbox runs again'));
    const sent = await bob().request('POST', '/api/v1/accounts/me/messages', {
      to: [{ email: 'bob@example.test' }],
      subject: 'after the kill',
      text: 'x',
    });
    assert.equal(sent.status, 202, JSON.stringify(sent.body));
    await arrived(bob(), 'after the kill');
  });

  it('says to another start that the folder is in use', async () => {
    const second = await runCommand(process.execPath, ['tools/cluster.ts'], { env: { WAYPOST_DATA_DIR: folder } });
    assert.equal(second.code, 1);
    assert.match(second.stderr, /^The cluster can’t start:\n.*in use|another process uses/);
    assert.doesNotMatch(second.stderr, /\n\s+at /, 'no stack');
  });

  it('stops all of it on Ctrl-C, and has the mail at the next start', async () => {
    const pids = [...printedProcesses(firstPrint).values()].map(({ pid }) => pid);
    assert.equal(await cluster.end('SIGINT'), 0);
    for (const pid of pids) assert.equal(isAlive(pid), false, `${pid}`);
    const secrets = [...accounts.values(), ...readdirSync(join(folder, 'rights')).filter(isSecret).map(read)];
    for (const file of readdirSync(join(folder, 'logs'))) {
      const text = readFileSync(join(folder, 'logs', file), 'utf8');
      for (const secret of secrets) assert.ok(!text.includes(secret), `a secret in ${file}`);
    }

    cluster = await startCluster(folder);
    assert.equal(printedAccounts(cluster.stdout()).size, 0);
    await arrived(bob(), 'after the kill');
    const again = [...printedProcesses(cluster.stdout()).values()].map(({ pid }) => pid);
    await cluster.end('SIGKILL');
    await until('nothing of it lives', 10_000, () => !again.some(isAlive));
  });

  const isSecret = (name: string): boolean => /\.(nkey|mongodb-password)$/.test(name);
  const read = (name: string): string => readFileSync(join(folder, 'rights', name), 'utf8').trim();
});

describe('npm run cluster, asked wrongly', () => {
  const start = (args: string[], env: Record<string, string> = {}) =>
    runCommand(process.execPath, ['tools/cluster.ts', ...args], { env });

  it('says what is wrong and what is right', async () => {
    for (const [args, env, code, says] of [
      [['--copies', 'mailbox=0'], {}, 2, /mailbox=0: use service=number/],
      [['--copies', 'postman=2'], {}, 2, /postman=2.*auth/],
      [['--verbose'], {}, 2, /usage/],
      [[], { WAYPOST_NATS_URL: 'nats://127.0.0.1' }, 2, /WAYPOST_NATS_URL is set.*docs\/cluster\.md/],
      [[], { WAYPOST_MX_LISTEN: 'everywhere' }, 1, /WAYPOST_MX_LISTEN/],
    ] as const) {
      const answer = await start([...args], env);
      assert.equal(answer.code, code, answer.stderr);
      assert.match(answer.stderr, says);
      assert.doesNotMatch(answer.stderr, /\n\s+at /, 'no stack');
    }
  });
});

interface RunningCluster {
  api: string;
  /** The first operations port. */
  ops: number;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code when the runner has ended. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

async function startCluster(folder: string, args: readonly string[] = []): Promise<RunningCluster> {
  const [http = 0, mx, submission, submissions] = await freePorts(4);
  const ops = await freeRow(5);
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
    WAYPOST_DATA_DIR: folder,
    WAYPOST_HTTP_LISTEN: `127.0.0.1:${http}`,
    WAYPOST_OPS_LISTEN: `127.0.0.1:${ops}`,
    WAYPOST_MX_LISTEN: `127.0.0.1:${mx}`,
    WAYPOST_SUBMISSION_LISTEN: `127.0.0.1:${submission}`,
    WAYPOST_SUBMISSIONS_LISTEN: `127.0.0.1:${submissions}`,
    WAYPOST_GRACE_PERIOD: '5s',
  };
  const child: ChildProcess = spawn(process.execPath, ['tools/cluster.ts', ...args], { cwd: projectRoot, env });
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const abandon = (): void => void child.kill('SIGKILL');
  process.once('exit', abandon);
  await until('the cluster runs', 120_000, () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${stdout}\n${stderr}`);
    return /Waypost is running\.[^]*\n\n/.test(stdout) && stdout.endsWith('\n');
  });
  return {
    api: `http://127.0.0.1:${http}`,
    ops,
    stdout: () => stdout,
    stderr: () => stderr,
    async end(signal) {
      process.off('exit', abandon);
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const ended = once(child, 'close');
      child.kill(signal);
      await ended;
      return child.exitCode;
    },
  };
}

/** The first of so many free ports in a row. */
async function freeRow(count: number): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const first = 10_000 + Math.floor(Math.random() * 9_000);
    const row = Array.from({ length: count }, (_, n) => first + n);
    const taken = await Promise.all(row.map(accepts));
    if (!taken.includes(true)) return first;
  }
  throw new Error('no free ports in a row');
}

function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}

/** `name  address  pid` of each line of the list. */
function printedProcesses(print: string): Map<string, { address: string; pid: number }> {
  const lines = print.matchAll(/^ {2}([a-z]+(?:-\w+)?) +((?:http:\/\/)?127\.0\.0\.1:\d+\S*) +(\d+)/gm);
  return new Map([...lines].map(([, name, address, pid]) => [name!, { address: address!, pid: Number(pid) }]));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** false: it can run here. @throws where real servers are required */
async function whyNot(): Promise<string | false> {
  try {
    await Promise.all([serverBinary('mongod'), serverBinary('nats-server')]);
    return false;
  } catch (error) {
    if (isRequired(process.env)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`SKIPPED (CONTRIBUTING.md says how to get the servers): npm run cluster: ${why}\n`);
    return why;
  }
}

const shell = (command: string) => runCommand('sh', ['-c', command]);
