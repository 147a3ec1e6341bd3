import type { Bus, Subscription } from '../../../libs/bus/port.ts';
import { BusTimeout, BusUnavailable, RequestFailed } from '../../../libs/bus/port.ts';
import type { Batch } from '../../../libs/bus/requests.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import { type DeliverBatchDeps, deliverBatch } from './deliver-batch.ts';
import { handBack } from './hand-back.ts';
import { keepLeased } from './keep-leased.ts';
import { KnownOwners } from './known-owners.ts';
import { deliveryLimits } from './limits.ts';
import type { BatchEnd } from './settlement.ts';

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
  readonly #owners: KnownOwners;
  /** No new batch from now on. */
  readonly #draining = new AbortController();
  /** What is under way is given up. */
  readonly #abandoning = new AbortController();
  #subscription: Subscription | undefined;
  #loops: Promise<void>[] = [];
  #underWay = 0;

  constructor(options: DeliveryWorkerOptions) {
    this.#options = options;
    this.#owners = new KnownOwners(options.clock);
  }

  get batchesUnderWay(): number {
    return this.#underWay;
  }

  start(): void {
    const { bus } = this.#options;
    this.#subscription = bus.onWake('queue.ready', ({ owner, kind }) => {
      if (kind === 'local') this.#owners.heard(owner);
    });
    this.#loops = Array.from({ length: deliveryLimits.batches }, () => this.#loop());
  }

  /** Ends the batches under way; those that take longer than `graceMs` are given up and come again elsewhere. */
  async stop(graceMs: number): Promise<void> {
    await this.#subscription?.close();
    this.#draining.abort();
    this.#owners.close();
    const timeIsUp = new AbortController();
    const giveUp = this.#options.clock
      .sleep(graceMs, timeIsUp.signal)
      .then(() => this.#abandoning.abort(new Error('shutting down')));
    await Promise.all(this.#loops);
    timeIsUp.abort();
    await giveUp;
  }

  async #loop(): Promise<void> {
    const { signal } = this.#draining;
    let backoffMs: number = deliveryLimits.backoffFirstMs;
    while (!signal.aborted) {
      const owner = this.#owners.next();
      if (owner === undefined) {
        await this.#owners.wait();
        continue;
      }
      const succeeded = await this.#serve(owner);
      if (succeeded) backoffMs = deliveryLimits.backoffFirstMs;
      else {
        await this.#options.clock.sleep(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, deliveryLimits.backoffMostMs);
      }
    }
  }

  /** Pulls one batch of this owner and delivers it. False: there was trouble, it is time to wait a little. */
  async #serve(owner: string): Promise<boolean> {
    const { log } = this.#options;
    try {
      const batch = await this.#pull(owner);
      if (batch === undefined || batch.rows.length === 0) return true;
      this.#owners.heard(owner);
      const { busy } = await this.#deliver(batch);
      // What was given back would come again at once, to an account that is as busy as before.
      return busy === 0;
    } catch (err) {
      if (!this.#abandoning.signal.aborted)
        log.error({ err, owner }, 'a batch of local deliveries could not be finished');
      return false;
    }
  }

  async #pull(owner: string): Promise<Batch | undefined> {
    const { bus, name } = this.#options;
    const { capacity, pullTimeoutMs } = deliveryLimits;
    try {
      const request = { kind: 'local', worker: name, capacity, waitMs: 0 } as const;
      return await bus.request('queue.pull', request, { to: owner, timeoutMs: pullTimeoutMs });
    } catch (error) {
      if (error instanceof BusTimeout) this.#owners.forget(owner);
      else if (error instanceof BusUnavailable) this.#owners.silent(owner);
      else if (error instanceof RequestFailed) this.#cannotClaim(owner, error);
      else throw error;
      return undefined;
    } finally {
      this.#owners.answered(owner);
    }
  }

  #cannotClaim(owner: string, err: RequestFailed): void {
    this.#options.log.warn(
      { err, owner },
      'an owner of the queue could not hand out a batch: it is asked again a little later',
    );
    this.#owners.failed(owner);
  }

  async #deliver(batch: Batch): Promise<BatchEnd> {
    const { metrics, clock, bus } = this.#options;
    const startedMs = clock.monotonicMs();
    this.#underWay++;
    try {
      const { signal } = this.#abandoning;
      const end = await keepLeased(batch, this.#options, () =>
        untilAborted(deliverBatch(batch, this.#options, signal), signal),
      );
      bus.wake('queue.settled', { owner: batch.claim.owner, token: batch.claim.token });
      return end;
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
