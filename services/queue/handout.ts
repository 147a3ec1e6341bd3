import type { Batch, RequestOf } from '../../libs/bus/requests.ts';
import { isLocalDestination } from '../../libs/delivery/partition.ts';
import type { DeliveryRow } from '../../libs/delivery/row.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import { batchRow } from './batch-row.ts';
import { ClaimsOut } from './claims-out.ts';
import { handoutLimits } from './limits.ts';
import type { Loader } from './loader.ts';
import type { QueueMetrics } from './metrics.ts';
import type { Ownership } from './ownership.ts';
import { WaitingPulls } from './waiting-pulls.ts';
import type { DueRow, Window } from './window.ts';

/**
 * Answers workers that pull local mail: takes rows from the window, claims them in one step and hands out what it got. A worker with free capacity asks, so a
 * slow one is never flooded. A pull that finds nothing may wait; the number of those is bounded.
 */
export class Handout {
  readonly #options: HandoutOptions;
  readonly #waiting: WaitingPulls;
  readonly #claiming = new Set<string>();
  readonly #out = new ClaimsOut({ cap: handoutLimits.claimsOut, rememberedLeases: handoutLimits.rememberedLeases });
  #closed = false;

  constructor(options: HandoutOptions) {
    this.#options = options;
    this.#waiting = new WaitingPulls(options.clock);
  }

  /** Ids whose claim is under way. */
  claiming(): Iterable<string> {
    return this.#claiming;
  }

  get claimsOut(): number {
    return this.#out.size;
  }

  /** Rows taken and not yet claimed or given up. */
  get claimsUnderWay(): number {
    return this.#claiming.size;
  }

  async pull(request: RequestOf<'queue.pull'>, signal: AbortSignal): Promise<Batch> {
    const { clock, owner, leaseMs } = this.#options;
    const deadlineMs = clock.monotonicMs() + request.waitMs;
    while (!this.#closed && !signal.aborted) {
      const token = newId();
      const rows = await this.#claimNext(request.capacity, token, leaseMs);
      if (rows.length > 0 && signal.aborted) await this.#handBack(rows, token);
      else if (rows.length > 0) return { claim: { owner, token }, leaseMs, rows };
      if (this.#options.window.size > 0) continue;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || this.#waiting.isFull) break;
      await this.#waiting.wait(leftMs, signal);
    }
    return { claim: { owner, token: newId() }, leaseMs, rows: [] };
  }

  /** The window has got rows: pulls that wait look again. Returns false when none waited. */
  offer(): boolean {
    return this.#waiting.offer();
  }

  /** A worker has ended a batch. */
  settled(token: string): void {
    this.#out.ended(token);
  }

  /** True when leases of claims may have ended: their rows must be looked at in the store. */
  mayHaveEnded(): boolean {
    return this.#out.mayHaveEnded(this.#options.clock.monotonicMs());
  }

  /** From now on every pull gets an empty batch. */
  close(): void {
    this.#closed = true;
    this.offer();
  }

  async #claimNext(capacity: number, token: string, leaseMs: number): Promise<Batch['rows']> {
    const { window, ownership, deliveries, loader, clock, owner, metrics } = this.#options;
    const picked = window.take(capacity, (partition) => ownership.owns(partition));
    if (picked.length === 0) {
      // Rows of partitions that aren't ours any more would keep the loop turning.
      window.dropPartitions(this.#notOwned(window));
      return [];
    }
    const ids = picked.map(({ id }) => id);
    const partitions = new Set(picked.map(({ partition }) => partition));
    for (const id of ids) this.#claiming.add(id);
    loader().taken(ids);
    try {
      const leases = ownership.leasesOf(partitions);
      this.#out.add(token, clock.monotonicMs(), leaseMs);
      const rows = await deliveries.claim({ owner, leases, ids, token, leaseMs, now: clock.nowMs() });
      // An operator has given it a recipient elsewhere since it was read: it must not go with this batch.
      const moved = rows.filter(({ destination }) => !isLocalDestination(destination));
      if (moved.length > 0) await this.#giveBack(moved.map(batchRow), token);
      const here = rows.filter((row) => !moved.includes(row));
      if (here.length === 0) this.#out.ended(token);
      if (rows.length < picked.length) loader().mark(partitions);
      metrics.handedOut.inc({ kind: 'local' }, here.length);
      if (here.length > 0) metrics.batchRows.observe({ kind: 'local' }, here.length);
      return inOrderOf(picked, here).map(batchRow);
    } catch (error) {
      // Whether they are leased now is not known here: the store says so at the next load, or when that lease has ended.
      loader().mark(partitions);
      throw error;
    } finally {
      for (const id of ids) this.#claiming.delete(id);
      loader().look();
    }
  }

  /** Who asked has gone while the claim was made: its rows needn't wait for the end of their lease. */
  async #handBack(rows: Batch['rows'], token: string): Promise<void> {
    await this.#giveBack(rows, token);
    this.#out.ended(token);
  }

  async #giveBack(rows: Batch['rows'], token: string): Promise<void> {
    const { deliveries, owner, clock, loader } = this.#options;
    const at = clock.nowMs();
    const returned = rows.map(({ id, epoch }) => {
      return { id, claim: { owner, epoch, token }, at, result: { kind: 'returned' } } as const;
    });
    await deliveries.record(returned);
    loader().mark(new Set(rows.map(({ partition }) => partition)));
  }

  #notOwned(window: Window): number[] {
    return window.partitions().filter((partition) => !this.#options.ownership.owns(partition));
  }
}

export interface HandoutOptions {
  owner: string;
  window: Window;
  ownership: Ownership;
  deliveries: Deliveries;
  /** The two know each other, so this one is asked for late. */
  loader: () => Loader;
  clock: Clock;
  metrics: QueueMetrics;
  leaseMs: number;
}

/** The store answers a claim in any order; rows go out in theirs. */
function inOrderOf(picked: readonly DueRow[], rows: readonly DeliveryRow[]): DeliveryRow[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return picked.flatMap(({ id }) => byId.get(id) ?? []);
}
