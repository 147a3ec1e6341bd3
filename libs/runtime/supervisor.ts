import type { Logger } from '../ops/logger.ts';
import type { Clock } from './clock.ts';

export interface SuperviseOptions {
  signal: AbortSignal;
  log: Logger;
  clock: Clock;
  /** Called for each failure, for a counter. */
  onFailure?: () => void;
}

/**
 * Runs `run` until the signal aborts, and starts it again when it ends or throws: after 100 ms, then twice as long each time up to 30 s; a run that lasted a
 * minute begins anew at 100 ms. Resolves when the signal has aborted and `run` has returned; never rejects.
 */
export async function superviseLoop(
  name: string,
  run: (signal: AbortSignal) => Promise<void>,
  { signal, log, clock, onFailure }: SuperviseOptions,
): Promise<void> {
  let waitMs = firstWaitMs;
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs();
    try {
      await run(signal);
    } catch (error) {
      if (signal.aborted) return;
      onFailure?.();
      log.error({ err: error, loop: name, waitMs }, 'a background loop has failed and is started again');
    }
    if (signal.aborted) return;
    if (clock.monotonicMs() - startedMs >= healthyAfterMs) waitMs = firstWaitMs;
    await clock.sleep(waitMs, signal);
    waitMs = Math.min(waitMs * 2, longestWaitMs);
  }
}

const firstWaitMs = 100;
const longestWaitMs = 30_000;
const healthyAfterMs = 60_000;
