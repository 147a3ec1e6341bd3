import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Watchdog } from '../servers/watchdog.ts';
import { openLog, shownOf } from './log-file.ts';

export interface ProcessSpec {
  /** Shown before its lines: `mailbox-2`. */
  name: string;
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string | undefined>>;
  /** Resolves when it does its work; `message` resolves with what it sends first over IPC. Rejects when the signal aborts. */
  whenReady: (message: Promise<unknown>, signal: AbortSignal) => Promise<void>;
  /** One of ours: it tells over IPC when it is ready, and errors of its log are shown at the terminal. */
  isService: boolean;
}

export interface Surroundings {
  watchdog: Watchdog;
  logFolder: string;
  /** A line for the terminal. */
  say: (line: string) => void;
}

/** What a first start didn't live through. */
export class DidNotStart extends Error {
  override readonly name = 'DidNotStart';
}

/**
 * A process that is started again when it ends, later each time, like a container in a pod. It has a session of its own, so that Ctrl-C in the terminal is for the
 * runner alone, and the watchdog ends it when the runner is killed.
 */
export class SupervisedProcess {
  readonly name: string;
  readonly #spec: ProcessSpec;
  readonly #around: Surroundings;
  readonly #log: ReturnType<typeof openLog>;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #lastLines: string[] = [];
  #supervising: Promise<void> = Promise.resolve();
  #restarts = 0;

  constructor(spec: ProcessSpec, around: Surroundings) {
    this.name = spec.name;
    this.#spec = spec;
    this.#around = around;
    this.#log = openLog(around.logFolder, spec.name);
  }

  /** Resolves when it is ready. @throws DidNotStart when it ends before, or takes more than 90 s */
  async start(): Promise<void> {
    try {
      await this.#run();
    } catch (error) {
      await this.stop(0);
      throw error;
    }
    this.#supervising = this.#supervise();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** SIGTERM; SIGKILL when it takes longer than `graceMs`. Not started again. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    if (child !== undefined) {
      const ended = once(child, 'exit');
      child.kill(graceMs === 0 ? 'SIGKILL' : 'SIGTERM');
      const late = setTimeout(() => {
        if (graceMs > 0) this.#around.say(`${this.name} did not stop in time: it is ended`);
        child.kill('SIGKILL');
      }, graceMs);
      await ended;
      clearTimeout(late);
    }
    await this.#supervising;
    this.#log.stream.end();
  }

  /** Starts the process and waits until it is ready. */
  async #run(): Promise<void> {
    const { name, whenReady } = this.#spec;
    const giveUp = new AbortController();
    const child = this.#spawn();
    const message = new Promise((resolve) => child.once('message', resolve));
    const timer = setTimeout(() => giveUp.abort(), startLimitMs);
    const ended = new Promise<never>((_, reject) => {
      const fail = (what: string): void => reject(new Error(what));
      // Not `exit`: by then its last words have been read.
      child.once('close', (code, signal) => fail(`has ended (${signal ?? `exit code ${code ?? ''}`})`));
      child.once('error', (error) => fail(`can't be started: ${error.message}`));
      giveUp.signal.addEventListener('abort', () => fail(`is not ready after ${startLimitMs / 1000} s`), {
        once: true,
      });
    });
    try {
      await Promise.race([whenReady(message, giveUp.signal), ended]);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new DidNotStart(`${name} ${what}${this.#tail()}`, { cause: error });
    } finally {
      clearTimeout(timer);
      giveUp.abort();
      ended.catch(() => undefined);
    }
  }

  #spawn(): ChildProcess {
    const { command, args, env, isService } = this.#spec;
    const { watchdog } = this.#around;
    const options = env === undefined ? {} : { env: { ...env } };
    const child = spawn(command, args, {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe', isService ? 'ipc' : 'ignore'],
      detached: true,
    });
    this.#child = child;
    const { pid } = child;
    if (pid !== undefined) watchdog.watch(pid);
    const gone = (): void => {
      if (pid !== undefined) watchdog.forget(pid);
      if (this.#child === child) this.#child = undefined;
    };
    child.once('exit', gone).once('error', gone);
    for (const output of [child.stdout, child.stderr]) {
      if (output === null) continue;
      createInterface({ input: output }).on('line', (line) => this.#keep(line, isService));
    }
    return child;
  }

  #keep(line: string, show: boolean): void {
    this.#log.stream.write(`${line}\n`);
    this.#lastLines = [...this.#lastLines, line].slice(-tailLines);
    const shown = show ? shownOf(line) : undefined;
    if (shown !== undefined) this.#around.say(`[${this.name}] ${shown}`);
  }

  /** The log's end for an error, where it hasn't been shown already. */
  #tail(): string {
    const lines = this.#spec.isService ? [] : this.#lastLines;
    return `; its log is ${this.#log.path}${lines.map((line) => `\n  ${line}`).join('')}`;
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const readyAtMs = performance.now();
      const child = this.#child;
      if (child !== undefined) await once(child, 'exit');
      if (signal.aborted) return;
      if (performance.now() - readyAtMs > healthyAfterMs) this.#restarts = 0;
      await this.#startAgain(child);
    }
  }

  async #startAgain(ended: ChildProcess | undefined): Promise<void> {
    const { say } = this.#around;
    let why: string = ended?.signalCode ?? `exit code ${ended?.exitCode ?? ''}`;
    while (!this.#stopping.signal.aborted) {
      const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** this.#restarts);
      this.#restarts += 1;
      say(`${this.name} has ended (${why}); it is started again in ${waitMs / 1000} s`);
      await pause(waitMs, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      try {
        await this.#run();
        say(`${this.name} runs again`);
        return;
      } catch (error) {
        if (!(error instanceof DidNotStart)) throw error;
        why = error.message;
      }
    }
  }
}

const startLimitMs = 90_000;
const firstWaitMs = 500;
const longestWaitMs = 30_000;
/** Who lived this long begins again with the shortest wait. */
const healthyAfterMs = 60_000;
const tailLines = 5;

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
