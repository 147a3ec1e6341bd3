import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { Periodic } from '../../libs/runtime/periodic.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { Ownership } from './ownership.ts';
import { loadLimits } from './limits.ts';
import type { Window } from './window.ts';

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
      intervalMs: loadLimits.tickMs,
      minGapMs: loadLimits.gatherMs,
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
    const { window, ownership } = this.#options;
    const isEnough = window.size >= loadLimits.enough;
    const partitions: number[] = [];
    for (const partition of this.#marked) {
      if (!ownership.owns(partition)) this.#marked.delete(partition);
      else if (!isEnough || window.sizeOf(partition) === 0) partitions.push(partition);
    }
    if (partitions.length > 0 && window.room > 0) await this.#read(partitions);
  }

  async #read(partitions: readonly number[]): Promise<void> {
    const { deliveries, window, clock, claiming } = this.#options;
    for (const partition of partitions) this.#marked.delete(partition);
    const taken = new Set(claiming());
    this.#takenMeanwhile = taken;
    try {
      const { perDestination, rowsPerRead: limit } = loadLimits;
      // Nothing is handed out for outside yet: those rows would only fill the window and the read.
      const destinations = 'local';
      const rows = await deliveries.due({ partitions, now: clock.nowMs(), perDestination, limit, destinations });
      const { added, leftOut } = window.merge(rows.filter(({ id }) => !taken.has(id)));
      for (const partition of leftOut) this.#marked.add(partition);
      for (const partition of rows.length >= limit ? partitions : cutShort(rows, perDestination))
        this.#marked.add(partition);
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
    const { deliveries, ownership, clock } = this.#options;
    if (this.#nextDueAt === undefined || this.#dueMayHaveChanged) {
      if (clock.monotonicMs() - this.#askedDueAtMs < loadLimits.tickMs) return;
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
  ownership: Ownership;
  window: Window;
  clock: Clock;
  log: Logger;
  /** Ids whose claim is under way. */
  claiming: () => Iterable<string>;
  /** The window has got rows. */
  onRows: () => void;
}

/** Partitions of the destinations that had at least as many rows as were asked for. */
function cutShort(rows: readonly { destination: string; partition: number }[], perDestination: number): number[] {
  const counts = new Map<string, number>();
  const partitions: number[] = [];
  for (const { destination, partition } of rows) {
    const count = (counts.get(destination) ?? 0) + 1;
    counts.set(destination, count);
    if (count === perDestination) partitions.push(partition);
  }
  return partitions;
}
