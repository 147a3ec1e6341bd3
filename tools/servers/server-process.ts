import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Watchdog } from './watchdog.ts';

/** A server that tests may kill, freeze and start again on the same port and folder. */
export interface ServerProcess {
  start(): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  isRunning(): boolean;
  /** The last lines of its log, for error messages. */
  logTail(): string;
}

export function serverProcess(binary: string, args: string[], logFile: string, watchdog: Watchdog): ServerProcess {
  let child: ChildProcess | undefined;
  const signal = (name: NodeJS.Signals): void => {
    child?.kill(name);
  };
  return {
    start() {
      const log = openSync(logFile, 'a');
      const started = spawn(binary, args, { stdio: ['ignore', log, log], detached: true });
      closeSync(log);
      child = started;
      started.unref();
      const { pid } = started;
      if (pid !== undefined) watchdog.watch(pid);
      const gone = (): void => {
        if (pid !== undefined) watchdog.forget(pid);
        if (child === started) child = undefined;
      };
      started.once('exit', gone);
      started.once('error', gone);
    },
    async kill() {
      if (child === undefined) return;
      const exited = once(child, 'exit');
      child.ref();
      signal('SIGKILL');
      await exited;
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    isRunning: () => child !== undefined,
    logTail: () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-5).join('\n'),
  };
}

/** Ports that nobody listens on now, all different. Another process may take one before it is used: callers try again. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') ports.push(address.port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
