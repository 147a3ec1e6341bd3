import type { Batch } from '../../bus/requests.ts';
import type { Logger } from '../../ops/logger.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Periodic } from '../../runtime/periodic.ts';
import type { Deliveries } from '../../store/ports/deliveries.ts';
import { claimOf } from './claim-of.ts';

/** What a holder knows of the lease of its batch. */
export interface HeldLease {
  /** Aborts when no renewal has succeeded by two thirds of the lease: from then on nothing may be begun, and what is under way is cut. */
  readonly signal: AbortSignal;
  /** False when the row was found to be another's. */
  holds(id: string): boolean;
  /** This row's outcome is recorded: it needs no lease any more. */
  ended(id: string): void;
  /** When the lease ends if it isn't renewed, on the monotonic clock; counted from before the request, so never later than the store has it. */
  endsAtMs(): number;
}

export interface LeaseDeps {
  deliveries: Pick<Deliveries, 'renew'>;
  clock: Clock;
  log: Logger;
  onRenewal?: (succeeded: boolean) => void;
}

/** Renews the lease of a batch every third of it while `work` runs; most batches end before the first time. `askedAtMs`: before it was asked for (monotonic). */
export async function keepLeased<T>(
  batch: Batch,
  askedAtMs: number,
  deps: LeaseDeps,
  work: (lease: HeldLease) => Promise<T>,
): Promise<T> {
  const lease = new BatchLease(batch, askedAtMs, deps);
  lease.start();
  try {
    return await work(lease);
  } finally {
    await lease.stop();
  }
}

class BatchLease implements HeldLease {
  readonly #batch: Batch;
  readonly #deps: LeaseDeps;
  readonly #renewals: Periodic;
  readonly #losing = new AbortController();
  readonly #stopped = new AbortController();
  readonly #open: Set<string>;
  readonly #lost = new Set<string>();
  #provenAtMs: number;
  #watch: Promise<void> = Promise.resolve();

  constructor(batch: Batch, askedAtMs: number, deps: LeaseDeps) {
    const { clock, log } = deps;
    this.#batch = batch;
    this.#deps = deps;
    this.#open = new Set(batch.rows.map(({ id }) => id));
    this.#provenAtMs = askedAtMs;
    let first = true;
    this.#renewals = new Periodic({
      name: 'lease of a batch',
      intervalMs: Math.ceil(batch.leaseMs / 3),
      clock,
      log,
      task: async () => {
        if (!first) await this.#renew();
        first = false;
      },
    });
  }

  get signal(): AbortSignal {
    return this.#losing.signal;
  }

  start(): void {
    this.#renewals.start();
    this.#watch = this.#watchLease();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([this.#renewals.stop(), this.#watch]);
  }

  holds(id: string): boolean {
    return !this.#lost.has(id) && !this.signal.aborted;
  }

  ended(id: string): void {
    this.#open.delete(id);
  }

  endsAtMs(): number {
    return this.#provenAtMs + this.#batch.leaseMs;
  }

  async #renew(): Promise<void> {
    const { deliveries, clock, onRenewal } = this.#deps;
    const { leaseMs, rows } = this.#batch;
    const fromMs = clock.monotonicMs();
    try {
      for (const some of Map.groupBy(
        rows.filter(({ id }) => this.#open.has(id)),
        ({ epoch }) => epoch,
      ).values()) {
        const [row] = some;
        if (row === undefined) continue;
        const ids = some.map(({ id }) => id);
        const held = new Set(await deliveries.renew({ claim: claimOf(row, this.#batch), ids, leaseMs }));
        for (const id of ids) if (!held.has(id) && this.#open.has(id)) this.#lost.add(id);
      }
    } catch (error) {
      onRenewal?.(false);
      throw error;
    }
    onRenewal?.(true);
    this.#provenAtMs = Math.max(this.#provenAtMs, fromMs);
  }

  async #watchLease(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#stopped.signal.aborted) {
      const leftMs = this.#provenAtMs + (this.#batch.leaseMs * 2) / 3 - clock.monotonicMs();
      if (leftMs > 0) await clock.sleep(leftMs, this.#stopped.signal);
      else return this.#losing.abort(new LeaseLost());
    }
    return undefined;
  }
}

/** Why a lease is given up. */
class LeaseLost extends Error {
  override readonly name = 'LeaseLost';

  constructor() {
    super('the lease could not be renewed in time');
  }
}
