import type { Logger } from '../ops/logger.ts';
import type { Clock } from '../runtime/clock.ts';
import { Periodic } from '../runtime/periodic.ts';

const intervalMs = 5_000;
const timeoutMs = 5_000;

export interface StoreHealthOptions {
  /** True when the store does its work within so many ms; may reject. */
  probe: (timeoutMs: number) => Promise<boolean>;
  clock: Clock;
  log: Logger;
  /** After each probe. */
  onProbe?: (good: boolean) => void;
}

/** Whether the store answers, asked every few seconds: what readiness says. Good until proven otherwise, for a store that opened has answered. */
export class StoreHealth {
  readonly #probes: Periodic;
  #good = true;

  constructor({ probe, clock, log, onProbe }: StoreHealthOptions) {
    this.#probes = new Periodic({
      name: 'store health',
      intervalMs,
      clock,
      log,
      task: async () => {
        const good = await answersInTime(probe, clock);
        if (good !== this.#good) log.warn({ good }, good ? 'the store answers again' : 'the store does not answer');
        this.#good = good;
        onProbe?.(good);
      },
    });
  }

  get good(): boolean {
    return this.#good;
  }

  start(): void {
    this.#probes.start();
  }

  stop(): Promise<void> {
    return this.#probes.stop();
  }
}

/** A probe that hangs says no too; its own end is not waited for. */
async function answersInTime(probe: StoreHealthOptions['probe'], clock: Clock): Promise<boolean> {
  const answered = new AbortController();
  const late = clock.sleep(timeoutMs + graceMs, answered.signal).then(() => false);
  try {
    return await Promise.race([probe(timeoutMs).catch(() => false), late]);
  } finally {
    answered.abort();
  }
}

/** For the answer of a probe that keeps its time itself. */
const graceMs = 500;
