import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startWatchdog, type Watchdog } from '../../tools/servers/watchdog.ts';
import { servingFlags } from '../../tools/setup/become.mjs';
import { until } from './until.ts';

/** One process of services/main.ts with real ports, as a pod or a terminal would run it. */
export interface ServiceProcess {
  readonly pid: number;
  /** What it has printed so far, the last 200,000 characters of each stream. */
  stdout: () => string;
  stderr: () => string;
  isRunning(): boolean;
  /** Starts it; resolves when /readyz answers 200. @throws an error with its output when it ends before */
  start: () => Promise<void>;
  /** SIGKILL, and gone when it resolves. */
  kill: () => Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  terminate: () => Promise<number | null>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
}

export interface ServiceProcessOptions {
  /** None: all of them. */
  services: readonly string[];
  env: Readonly<Record<string, string>>;
  opsPort: number;
}

/** Not started yet. It is ended with this process at the latest, however that ends. */
export function serviceProcess({ services, env, opsPort }: ServiceProcessOptions): ServiceProcess {
  const name = services.length === 0 ? 'Waypost' : services.join('+');
  let child: ChildProcess | undefined;
  let stdout = '';
  let stderr = '';
  const isRunning = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child === undefined || !isRunning()) return child?.exitCode ?? null;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    return child.exitCode;
  };
  return {
    get pid() {
      return child!.pid!;
    },
    stdout: () => stdout,
    stderr: () => stderr,
    isRunning,
    async start() {
      const started = spawn(process.execPath, [...servingFlags, 'services/main.ts', 'start', ...services], {
        cwd: root,
        env: { ...inherited(), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      const { pid } = started;
      if (pid !== undefined) {
        watchdog ??= startWatchdog();
        watchdog.watch(pid);
        started.once('exit', () => watchdog?.forget(pid));
      }
      started.stdout.on('data', (chunk: Buffer) => (stdout = (stdout + chunk.toString()).slice(-outputKept)));
      started.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-outputKept)));
      await until(`${name} is ready`, 60_000, async () => {
        if (!isRunning()) throw new Error(`${name} ended with ${started.exitCode}:\n${stdout}\n${stderr}`);
        return (await readyStatus(opsPort)) === 200;
      });
    },
    kill: async () => void (await end('SIGKILL')),
    terminate: () => end('SIGTERM'),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
  };
}

/** One for all processes of a test file. */
let watchdog: Watchdog | undefined;

/** The status of /readyz; undefined while nothing answers. */
export async function readyStatus(opsPort: number): Promise<number | undefined> {
  const answer = await fetch(`http://127.0.0.1:${opsPort}/readyz`).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.status;
}

/** What /readyz says; status 0 and nothing while nothing answers. */
export async function readiness(opsPort: number): Promise<{ status: number; degraded: readonly string[] }> {
  const answer = await fetch(`http://127.0.0.1:${opsPort}/readyz`).catch(() => undefined);
  if (answer === undefined) return { status: 0, degraded: [] };
  return {
    status: answer.status,
    degraded: z.object({ degraded: z.array(z.string()) }).parse(await answer.json()).degraded,
  };
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const outputKept = 200_000;

function inherited(): Record<string, string> {
  const names = ['PATH', 'HOME', 'NODE_COMPILE_CACHE'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
