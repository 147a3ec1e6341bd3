import type { Bus } from '../../../libs/bus/port.ts';
import type { Batch } from '../../../libs/bus/requests.ts';
import { handBack } from '../../../libs/delivery/worker/hand-back.ts';
import { keepLeased } from '../../../libs/delivery/worker/keep-leased.ts';
import { PullLoop } from '../../../libs/delivery/worker/pull-loop.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import { type DeliverBatchDeps, deliverBatch } from './deliver-batch.ts';
import { deliveryLimits } from './limits.ts';

export interface DeliveryWorkerOptions extends DeliverBatchDeps {
  /** For the owners' logs. */
  name: string;
  bus: Bus;
  log: Logger;
}

/**
 * Puts local deliveries into mailboxes: pulls batches from the queue's owners while it has room, never more than two at once, so that one is read and
 * parsed while the other commits. A batch that it loses (a crash, trouble of the store) is handed out again when its lease ends.
 */
export class DeliveryWorker {
  readonly #options: DeliveryWorkerOptions;
  readonly #pulls: PullLoop;
  /** What is under way is given up. */
  readonly #abandoning = new AbortController();
  #underWay = 0;

  constructor(options: DeliveryWorkerOptions) {
    this.#options = options;
    this.#pulls = new PullLoop({
      ...options,
      ...deliveryLimits,
      kind: 'local',
      serve: (batch, askedAtMs) => this.#deliver(batch, askedAtMs),
      givenUp: () => this.#abandoning.signal.aborted,
    });
  }

  get batchesUnderWay(): number {
    return this.#underWay;
  }

  start(): void {
    this.#pulls.start();
  }

  /** Ends the batches under way; those that take longer than `graceMs` are given up and come again elsewhere. */
  async stop(graceMs: number): Promise<void> {
    const timeIsUp = new AbortController();
    const giveUp = this.#options.clock
      .sleep(graceMs, timeIsUp.signal)
      .then(() => this.#abandoning.abort(new Error('shutting down')));
    await this.#pulls.drain();
    timeIsUp.abort();
    await giveUp;
  }

  /** False when accounts were busy: what was given back would come again at once, to an account that is as busy as before. */
  async #deliver(batch: Batch, askedAtMs: number): Promise<boolean> {
    const { metrics, clock, bus } = this.#options;
    const startedMs = clock.monotonicMs();
    this.#underWay++;
    try {
      const { signal } = this.#abandoning;
      const { busy } = await keepLeased(batch, askedAtMs, this.#options, () =>
        untilAborted(deliverBatch(batch, this.#options, signal), signal),
      );
      bus.wake('queue.settled', { owner: batch.claim.owner, token: batch.claim.token });
      return busy === 0;
    } catch (error) {
      metrics.batchFailures.inc();
      // What still comes of it is fenced as if another had it, and a message that got in all the same is found there.
      if (this.#abandoning.signal.aborted) await handBack(batch, this.#options);
      throw error;
    } finally {
      this.#underWay--;
      metrics.batchRows.observe(batch.rows.length);
      metrics.batchSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
    }
  }
}

/** What `work` comes to, or the reason of the signal, whichever is first: work that hangs must not keep a process from ending. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason);
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}
