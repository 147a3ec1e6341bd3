import type { Bus, Subscription } from '../../bus/port.ts';
import { BusTimeout, BusUnavailable, RequestFailed } from '../../bus/port.ts';
import type { Batch } from '../../bus/requests.ts';
import type { Logger } from '../../ops/logger.ts';
import type { Clock } from '../../runtime/clock.ts';
import { KnownOwners } from './known-owners.ts';
import { pullLimits } from './pull-limits.ts';

export interface PullLoopOptions {
  kind: 'local' | 'remote';
  /** For the owners' logs. */
  name: string;
  /** Batches under way at one time. */
  batches: number;
  /** Rows of one batch at most. */
  capacity: number;
  bus: Bus;
  clock: Clock;
  log: Logger;
  /**
   * Ends a batch. `askedAtMs` (monotonic) is from before it was asked for: what its lease is counted from. False: what was given back would come again at once,
   * so it is time to wait a little. A rejection is logged, and followed by a pause.
   */
  serve: (batch: Batch, askedAtMs: number) => Promise<boolean>;
  /** No rejection of `serve` is news any more. */
  givenUp: () => boolean;
}

/** Pulls batches from the queue's owners while there is room for them. */
export class PullLoop {
  readonly #options: PullLoopOptions;
  readonly #owners: KnownOwners;
  readonly #draining = new AbortController();
  #subscription: Subscription | undefined;
  #loops: Promise<void>[] = [];

  constructor(options: PullLoopOptions) {
    this.#options = options;
    this.#owners = new KnownOwners(options.clock);
  }

  start(): void {
    const { bus, kind, batches } = this.#options;
    this.#subscription = bus.onWake('queue.ready', (ready) => {
      if (ready.kind === kind) this.#owners.heard(ready.owner);
    });
    this.#loops = Array.from({ length: batches }, () => this.#loop());
  }

  /** No new batch from now on; resolves when those under way have ended. */
  async drain(): Promise<void> {
    this.#draining.abort();
    this.#owners.close();
    await this.#subscription?.close();
    await Promise.all(this.#loops);
  }

  async #loop(): Promise<void> {
    const { signal } = this.#draining;
    let backoffMs: number = pullLimits.backoffFirstMs;
    while (!signal.aborted) {
      const owner = this.#owners.next();
      if (owner === undefined) {
        await this.#owners.wait();
        continue;
      }
      const succeeded = await this.#serve(owner);
      if (succeeded) backoffMs = pullLimits.backoffFirstMs;
      else {
        await this.#options.clock.sleep(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, pullLimits.backoffMostMs);
      }
    }
  }

  /** Pulls one batch of this owner and ends it. False: there was trouble, it is time to wait a little. */
  async #serve(owner: string): Promise<boolean> {
    const { log, clock, serve, givenUp, kind } = this.#options;
    try {
      const askedAtMs = clock.monotonicMs();
      const batch = await this.#pull(owner);
      if (batch === undefined || batch.rows.length === 0) return true;
      this.#owners.heard(owner);
      return await serve(batch, askedAtMs);
    } catch (err) {
      if (!givenUp()) log.error({ err, owner, kind }, 'a batch of deliveries could not be finished');
      return false;
    }
  }

  async #pull(owner: string): Promise<Batch | undefined> {
    const { bus, name: worker, kind, capacity } = this.#options;
    try {
      const request = { kind, worker, capacity, waitMs: 0 };
      return await bus.request('queue.pull', request, { to: owner, timeoutMs: pullLimits.pullTimeoutMs });
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
}
