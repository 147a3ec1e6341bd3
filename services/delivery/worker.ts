import type { Batch } from '../../libs/bus/requests.ts';
import { handBack } from '../../libs/delivery/worker/hand-back.ts';
import { keepLeased } from '../../libs/delivery/worker/keep-leased.ts';
import { PullLoop } from '../../libs/delivery/worker/pull-loop.ts';
import { deliveryLimits } from './limits.ts';
import { type SendDeps, sendBatch } from './send/send-batch.ts';

export interface RemoteWorkerOptions extends Omit<SendDeps, 'schedule'> {
  /** That of a route by its name, of all mail without one. */
  scheduleOf: (route: string | undefined) => SendDeps['schedule'];
  /** For the owners' logs. */
  name: string;
  /** Connections at work; default {@link deliveryLimits}. */
  batches?: number;
}

/** Sends mail to other servers: pulls batches from the queue's owners, as many as it has connections at work, and sends each over one session. */
export class RemoteWorker {
  readonly #options: RemoteWorkerOptions;
  readonly #pulls: PullLoop;
  readonly #draining = new AbortController();
  readonly #abandoning = new AbortController();
  #underWay = 0;

  constructor(options: RemoteWorkerOptions) {
    this.#options = options;
    this.#pulls = new PullLoop({
      ...options,
      batches: options.batches ?? deliveryLimits.batches,
      capacity: deliveryLimits.capacity,
      kind: 'remote',
      serve: (batch, askedAtMs) => this.#serve(batch, askedAtMs),
      givenUp: () => this.#abandoning.signal.aborted,
    });
  }

  get batchesUnderWay(): number {
    return this.#underWay;
  }

  start(): void {
    this.#pulls.start();
  }

  /** Hands back what isn't begun; what takes longer than `graceMs` is cut. */
  async stop(graceMs: number): Promise<void> {
    this.#draining.abort('draining');
    const timeIsUp = new AbortController();
    const giveUp = this.#options.clock
      .sleep(graceMs, timeIsUp.signal)
      .then(() => this.#abandoning.abort('shutting down'));
    await this.#pulls.drain();
    timeIsUp.abort();
    await giveUp;
  }

  async #serve(batch: Batch, askedAtMs: number): Promise<boolean> {
    const { bus, log, metrics } = this.#options;
    const { way } = batch;
    if (way === undefined || this.#draining.signal.aborted) {
      if (way === undefined) log.error({ owner: batch.claim.owner }, 'a batch for outside came without its way');
      await handBack(batch, this.#options);
      return false;
    }
    this.#underWay++;
    try {
      const onRenewal = (succeeded: boolean): void => {
        if (!succeeded) metrics.renewalsFailed.inc({ of: 'batches' });
      };
      const schedule = this.#options.scheduleOf(way.route);
      const ending = { draining: this.#draining.signal, abandoning: this.#abandoning.signal };
      return await keepLeased(batch, askedAtMs, { ...this.#options, onRenewal }, (lease) =>
        sendBatch(batch, way, lease, { ...this.#options, schedule }, ending),
      );
    } finally {
      this.#underWay--;
      bus.wake('queue.settled', { owner: batch.claim.owner, token: batch.claim.token });
    }
  }
}
