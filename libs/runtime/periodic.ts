import type { Logger } from '../ops/logger.ts';
import type { Clock } from './clock.ts';

/**
 * Supervises one recurring task: runs it at `start`, then every `intervalMs` and sooner when kicked, never twice at once and never closer than
 * `minGapMs` from start to start. A run that throws is logged and tried again, after 5 s at most.
 */
export class Periodic {
  readonly #options: PeriodicOptions;
  readonly #stopping = new AbortController();
  #pause = new AbortController();
  #kicked = false;
  #loop: Promise<void> | undefined;

  constructor(options: PeriodicOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Runs the task soon; kicks during a run lead to one more run. */
  kick(): void {
    this.#kicked = true;
    if (!this.#pause.signal.aborted) this.#pause.abort(woken);
  }

  /** Aborts the task's signal and waits until the run under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#pause.abort(woken);
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { clock, intervalMs, minGapMs = 0 } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#kicked = false;
      const startedAt = clock.monotonicMs();
      const succeeded = await this.#runOnce();
      // After a failure a kick doesn't shorten the wait: the store is as absent as before.
      if (!succeeded) await clock.sleep(Math.min(intervalMs, retryAfterMs), signal);
      else if (!this.#kicked) await this.#pauseFor(intervalMs);
      const gapMs = startedAt + minGapMs - clock.monotonicMs();
      if (gapMs > 0) await clock.sleep(gapMs, signal);
    }
  }

  async #runOnce(): Promise<boolean> {
    const { signal } = this.#stopping;
    try {
      await this.#options.task(signal);
      return true;
    } catch (err) {
      if (!signal.aborted)
        this.#options.log.error({ err, task: this.#options.name }, 'a recurring task failed and will be tried again');
      return false;
    }
  }

  async #pauseFor(ms: number): Promise<void> {
    this.#pause = new AbortController();
    if (this.#stopping.signal.aborted) return;
    await this.#options.clock.sleep(ms, this.#pause.signal);
  }
}

/** Without a reason each abort makes a DOMException with its stack, and kicks are many. */
const woken = 'woken';

/** After a failure, when the interval is longer. */
const retryAfterMs = 5_000;

export interface PeriodicOptions {
  /** For logs. */
  name: string;
  intervalMs: number;
  /** Least time between two starts; kicks meanwhile gather. Default 0. */
  minGapMs?: number;
  clock: Clock;
  log: Logger;
  task: (signal: AbortSignal) => Promise<void>;
}
