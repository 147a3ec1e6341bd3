import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { isStoreTrouble } from '../../libs/store/errors.ts';
import type { Deliveries, Outcome, OutcomeAnswer } from '../../libs/store/ports/deliveries.ts';
import { deliveryLimits } from './limits.ts';

interface Entry {
  outcome: Outcome;
  /** Whether it still may be written, when it could not be. */
  worthKeeping: () => boolean;
  settle: (answer: OutcomeAnswer | 'lost') => void;
}

/**
 * Writes the outcomes of attempts, those of all connections together: one write at a time, what comes meanwhile goes with the next. While the store is away they
 * are kept: a proven 250 for a quarter of an hour, since it counts whoever brings it; anything else as long as its lease lives.
 */
export class Recorder {
  readonly #options: { deliveries: Deliveries; clock: Clock; log: Logger };
  readonly #closing = new AbortController();
  #waiting: Entry[] = [];
  #writing: Promise<void> | undefined;
  #underWay = 0;

  constructor(options: { deliveries: Deliveries; clock: Clock; log: Logger }) {
    this.#options = options;
  }

  /** Not in the store yet. */
  get waiting(): number {
    return this.#waiting.length + this.#underWay;
  }

  /** In order. `lost`: it could not be written in time; the row comes again when its lease ends. */
  record(outcomes: readonly Outcome[], leaseEndsAtMs: () => number): Promise<(OutcomeAnswer | 'lost')[]> {
    const { clock } = this.#options;
    const sinceMs = clock.monotonicMs();
    const answers = outcomes.map((outcome) => {
      const { promise, resolve } = Promise.withResolvers<OutcomeAnswer | 'lost'>();
      const isProven = outcome.result.kind === 'delivered';
      const endsAtMs = (): number => (isProven ? sinceMs + deliveryLimits.provenKeepMs : leaseEndsAtMs());
      this.#waiting.push({ outcome, worthKeeping: () => clock.monotonicMs() < endsAtMs(), settle: resolve });
      return promise;
    });
    this.#writing ??= this.#write();
    return Promise.all(answers);
  }

  /** Tries what waits for a last while, and gives up. */
  async close(): Promise<void> {
    const timeIsUp = new AbortController();
    const late = this.#options.clock.sleep(deliveryLimits.closingMs, timeIsUp.signal);
    await Promise.race([this.#writing, late]);
    timeIsUp.abort();
    this.#closing.abort();
    await this.#writing;
  }

  async #write(): Promise<void> {
    let pauseMs: number = deliveryLimits.recordRetryMs;
    // What came in the same turn goes along.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const entries = this.#waiting.splice(0, deliveryLimits.outcomesPerWrite);
      this.#underWay = entries.length;
      const kept = await this.#writeSome(entries);
      this.#underWay = 0;
      if (kept.length === 0) {
        pauseMs = deliveryLimits.recordRetryMs;
        continue;
      }
      this.#waiting = [...kept, ...this.#waiting];
      await this.#options.clock.sleep(pauseMs, this.#closing.signal);
      pauseMs = Math.min(pauseMs * 2, deliveryLimits.recordRetryMostMs);
    }
    this.#writing = undefined;
  }

  /** Answers those that are to be tried again. */
  async #writeSome(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const { deliveries, log } = this.#options;
    try {
      const answers = await deliveries.record(entries.map(({ outcome }) => outcome));
      for (const [index, { settle }] of entries.entries()) settle(answers[index] ?? 'lost');
      return [];
    } catch (err) {
      if (!isStoreTrouble(err) && entries.length > 1) {
        // One of them is to blame, and the others aren't to suffer.
        const kept: Entry[] = [];
        for (const entry of entries) kept.push(...(await this.#writeSome([entry])));
        return kept;
      }
      log.warn({ err, outcomes: entries.length }, 'outcomes of attempts could not be written');
      const again = (entry: Entry): boolean =>
        isStoreTrouble(err) && entry.worthKeeping() && !this.#closing.signal.aborted;
      for (const entry of entries) if (!again(entry)) entry.settle('lost');
      return entries.filter(again);
    }
  }
}
