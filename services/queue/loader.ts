import type { DeliveryRow } from '../../libs/delivery/row.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { Periodic } from '../../libs/runtime/periodic.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { Ownership } from './ownership.ts';

/**
 * Fills the window from the store: one read at a time for all partitions that were marked meanwhile, never one for each message. Partitions are
 * marked by wake-ups, by sweeps, and when the time comes at which the next row falls due.
 */
export class Loader {
  readonly #options: LoaderOptions;
  readonly #marked = new Set<number>();
  readonly #loads: Periodic;
  /** Rows taken from the window since the read under way began: what it brings of them is stale. */
  #takenMeanwhile: Set<string> | undefined;
  /** When the next row falls due (ms), as the store said; undefined: to be asked. */
  #nextDueAt: number | undefined;
  /** All rows due up to this (ms) were marked. */
  #lookedUntil = 0;
  #dueMayHaveChanged = true;
  #askedDueAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#loads = new Periodic({
      name: 'queue window',
      intervalMs: options.limits.tickMs,
      minGapMs: options.limits.gatherMs,
      clock: options.clock,
      log: options.log,
      task: () => this.load(),
    });
  }

  start(): void {
    this.#loads.start();
  }

  stop(): Promise<void> {
    return this.#loads.stop();
  }

  /** Rows of these partitions may have become due. */
  mark(partitions: Iterable<number>): void {
    for (const partition of partitions) this.#marked.add(partition);
    this.#dueMayHaveChanged = true;
    this.#loads.kick();
  }

  /** A row may have got another time, or there is room again. */
  look(): void {
    this.#dueMayHaveChanged = true;
    if (this.#marked.size > 0) this.#loads.kick();
  }

  taken(ids: Iterable<string>): void {
    if (this.#takenMeanwhile === undefined) return;
    for (const id of ids) this.#takenMeanwhile.add(id);
  }

  async load(): Promise<void> {
    await this.#markWhatFellDue();
    const { window, ownership, limits } = this.#options;
    const isEnough = limits.enough !== undefined && window.size >= limits.enough;
    const partitions: number[] = [];
    for (const partition of this.#marked) {
      if (!ownership.owns(partition)) this.#marked.delete(partition);
      else if (!isEnough || window.sizeOf(partition) === 0) partitions.push(partition);
    }
    if (partitions.length > 0 && window.room > 0) await this.#read(partitions);
  }

  async #read(partitions: readonly number[]): Promise<void> {
    const { deliveries, destinations, window, clock, claiming, limits, skips } = this.#options;
    for (const partition of partitions) this.#marked.delete(partition);
    const taken = new Set(claiming());
    this.#takenMeanwhile = taken;
    try {
      const { rowsPerRead: limit } = limits;
      const perDestination = window.laneCap;
      const except = skips?.();
      const rows = await deliveries.due({
        partitions,
        now: clock.nowMs(),
        perDestination,
        limit,
        destinations,
        ...(except !== undefined && { except }),
      });
      const fresh = rows.filter(({ id }) => !taken.has(id));
      const { added, leftOut } = window.merge(fresh, cutShort(rows, perDestination));
      for (const partition of leftOut) this.#marked.add(partition);
      if (rows.length >= limit) for (const partition of partitions) this.#marked.add(partition);
      if (added === 0) return;
      this.#options.onRows();
      if (this.#marked.size > 0) this.#loads.kick();
    } catch (error) {
      for (const partition of partitions) this.#marked.add(partition);
      throw error;
    } finally {
      this.#takenMeanwhile = undefined;
    }
  }

  /** Asks the store when the next row falls due, at most once a tick, and marks all partitions when that time has come. */
  async #markWhatFellDue(): Promise<void> {
    const { deliveries, ownership, clock, limits } = this.#options;
    if (this.#nextDueAt === undefined || this.#dueMayHaveChanged) {
      if (clock.monotonicMs() - this.#askedDueAtMs < limits.tickMs) return;
      this.#askedDueAtMs = clock.monotonicMs();
      this.#dueMayHaveChanged = false;
      this.#nextDueAt =
        (await deliveries.nextDueAt({ partitions: ownership.owned(), now: this.#lookedUntil })) ??
        Number.POSITIVE_INFINITY;
    }
    const now = clock.nowMs();
    if (this.#nextDueAt > now) return;
    for (const partition of ownership.owned()) this.#marked.add(partition);
    this.#lookedUntil = now;
    this.#nextDueAt = undefined;
  }
}

export interface LoaderOptions {
  deliveries: Deliveries;
  destinations: 'local' | 'remote';
  ownership: Ownership;
  window: LoadTarget;
  limits: LoadLimits;
  /** Destinations that need no rows now. */
  skips?: () => ReadonlySet<string>;
  clock: Clock;
  log: Logger;
  /** Ids whose claim is under way. */
  claiming: () => Iterable<string>;
  /** The window has got rows. */
  onRows: () => void;
}

export interface LoadLimits {
  /** Rows that one read brings. */
  rowsPerRead: number;
  /**
   * With this many rows in the window only partitions without any are read: the others' rows go first anyway, and to read them again for a few more would cost
   * more than it gives.
   */
  enough?: number;
  /** Least time between two reads: what becomes due meanwhile comes with the next one. */
  gatherMs: number;
  /** How often the loader looks whether a row has fallen due. */
  tickMs: number;
}

/** The window that it fills. */
export interface LoadTarget {
  readonly size: number;
  /** Rows that still fit. */
  readonly room: number;
  /** Rows of one destination that still fit, when there are none yet. */
  readonly laneCap: number;
  sizeOf(partition: number): number;
  /**
   * Adds rows that aren't there yet, as far as the caps allow; `cut` has the destinations of which there may be more, with their partitions. Tells how many were
   * new, and the partitions that are to be read again soon.
   */
  merge(
    rows: readonly DeliveryRow[],
    cut: ReadonlyMap<string, number>,
  ): { added: number; leftOut: ReadonlySet<number> };
}

/** Destinations that had at least as many rows as were asked for, with their partitions. */
function cutShort(rows: readonly DeliveryRow[], perDestination: number): Map<string, number> {
  const counts = new Map<string, number>();
  const cut = new Map<string, number>();
  for (const { destination, partition } of rows) {
    const count = (counts.get(destination) ?? 0) + 1;
    counts.set(destination, count);
    if (count === perDestination) cut.set(destination, partition);
  }
  return cut;
}
