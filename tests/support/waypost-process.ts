import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { servingFlags } from '../../tools/setup/become.mjs';
import { freePorts } from './free-ports.ts';
import { until } from './until.ts';

/** Waypost as its users run it: a process of its own, real ports, a data directory of its own. */
export interface WaypostProcess {
  readonly ports: { mx: number; submission: number; submissions: number; lmtp: number; http: number; ops: number };
  readonly api: string;
  readonly dataDir: string;
  readonly admin: { address: string; password: string };
  readonly pid: number;
  /** What it has printed so far. */
  stdout(): string;
  stderr(): string;
  /** SIGKILL, and gone when it resolves. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  terminate(): Promise<number | null>;
  /** Starts again on the same ports and data. */
  restart(): Promise<void>;
  /** Ends the process and removes the data. */
  dispose(): Promise<void>;
}

const adminPassword = 'correct horse battery staple';
const root = fileURLToPath(new URL('../..', import.meta.url));

export async function startWaypost(
  environment: Readonly<Record<string, string>> = {},
  services: readonly string[] = [],
): Promise<WaypostProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'waypost-e2e-'));
  const [mx, submission, submissions, lmtp, http, ops] = await freePorts(6);
  const ports = { mx: mx!, submission: submission!, submissions: submissions!, lmtp: lmtp!, http: http!, ops: ops! };
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
    WAYPOST_DATA_DIR: dataDir,
    WAYPOST_MX_LISTEN: `127.0.0.1:${ports.mx}`,
    WAYPOST_SUBMISSION_LISTEN: `127.0.0.1:${ports.submission}`,
    WAYPOST_SUBMISSIONS_LISTEN: `127.0.0.1:${ports.submissions}`,
    WAYPOST_LMTP_LISTEN: `127.0.0.1:${ports.lmtp}`,
    WAYPOST_HTTP_LISTEN: `127.0.0.1:${ports.http}`,
    WAYPOST_OPS_LISTEN: `127.0.0.1:${ports.ops}`,
    WAYPOST_ADMIN_PASSWORD: adminPassword,
    WAYPOST_LOG_LEVEL: 'warn',
    ...environment,
  };
  let child: ChildProcess | undefined;
  let stdout = '';
  let stderr = '';

  async function start(): Promise<void> {
    const started = spawn(process.execPath, [...servingFlags, 'services/main.ts', 'start', ...services], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    started.stdout.on('data', (chunk: Buffer) => (stdout = (stdout + chunk.toString()).slice(-outputKept)));
    started.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-outputKept)));
    await until('Waypost is ready', 30_000, async () => {
      if (started.exitCode !== null) throw new Error(`Waypost ended with ${started.exitCode}:\n${stdout}\n${stderr}`);
      const answer = await fetch(`http://127.0.0.1:${ports.ops}/readyz`).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.status === 200;
    });
  }

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    if (child === undefined) return null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  const remove = (): void => rmSync(dataDir, { recursive: true, force: true });
  // A test that ends without disposing leaves neither a process nor data.
  const abandon = (): void => {
    child?.kill('SIGKILL');
    remove();
  };
  process.once('exit', abandon);
  try {
    await start();
  } catch (error) {
    await end('SIGKILL');
    remove();
    throw error;
  }
  return {
    ports,
    api: `http://127.0.0.1:${ports.http}`,
    dataDir,
    admin: { address: 'admin@example.test', password: adminPassword },
    get pid() {
      return child!.pid!;
    },
    stdout: () => stdout,
    stderr: () => stderr,
    kill: async () => void (await end('SIGKILL')),
    terminate: () => end('SIGTERM'),
    restart: start,
    async dispose() {
      process.off('exit', abandon);
      await end('SIGKILL');
      remove();
    },
  };
}

/** Enough of the end of each stream to tell what went wrong. */
const outputKept = 200_000;
