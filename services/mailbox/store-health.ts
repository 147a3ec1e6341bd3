import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { Periodic } from '../../libs/runtime/periodic.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';

const intervalMs = 5_000;
const timeoutMs = 5_000;

/** Whether the store commits, asked every few seconds: what readiness says. Good until proven otherwise, for a store that opened has committed. */
export class StoreHealth {
  readonly #probes: Periodic;
  #good = true;

  constructor({ spool, clock, log }: { spool: Pick<Spool, 'probe'>; clock: Clock; log: Logger }) {
    this.#probes = new Periodic({
      name: 'store health',
      intervalMs,
      clock,
      log,
      task: async () => {
        const good = await spool.probe(timeoutMs).catch(() => false);
        if (good !== this.#good) log.warn({ good }, good ? 'the store commits again' : 'the store does not commit');
        this.#good = good;
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
