import { remoteLimits } from './limits.ts';

export interface BatchOut {
  group: string;
  rows: number;
  /** Its last row goes last: while that one is leased, the batch is out. */
  lastId: string;
  /** Monotonic: the first lease has passed; whether a worker has renewed it, the store knows. */
  endsAtMs: number;
}

interface OfGroup {
  batches: number;
  rows: number;
  /** The most batches at once lately. */
  peak: number;
  peakAtMs: number;
}

/** Batches in the hands of workers, by group. Bounded: no more than the groups' connections. */
export class BatchesOut {
  readonly #monotonicMs: () => number;
  readonly #out = new Map<string, BatchOut>();
  readonly #groups = new Map<string, OfGroup>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  get size(): number {
    return this.#out.size;
  }

  add(token: string, batch: BatchOut): void {
    this.#out.set(token, batch);
    const of = this.#of(batch.group);
    of.batches++;
    of.rows += batch.rows;
    if (of.batches >= of.peak) Object.assign(of, { peak: of.batches, peakAtMs: this.#monotonicMs() });
  }

  /** The claim was made, or its lease is seen to go on. */
  renewed(token: string, change: { rows?: number; lastId?: string; endsAtMs: number }): void {
    const batch = this.#out.get(token);
    if (batch === undefined) return;
    const rows = change.rows ?? batch.rows;
    this.#of(batch.group).rows += rows - batch.rows;
    Object.assign(batch, change);
  }

  /** The group of the batch; undefined when it had ended before. */
  ended(token: string): string | undefined {
    const batch = this.#out.get(token);
    if (batch === undefined) return undefined;
    this.#out.delete(token);
    const of = this.#of(batch.group);
    of.batches--;
    of.rows -= batch.rows;
    return batch.group;
  }

  /** True for one under which nothing was claimed. */
  isEmpty(token: string): boolean {
    return this.#out.get(token)?.rows === 0;
  }

  of(group: string): number {
    return this.#groups.get(group)?.batches ?? 0;
  }

  /** Connections that this owner's batches may have open: as many as it had out lately, since workers keep them for a while. */
  peakOf(group: string): number {
    const of = this.#groups.get(group);
    if (of === undefined) return 0;
    if (this.#monotonicMs() - of.peakAtMs > remoteLimits.peakMs) {
      if (of.batches === 0) this.#groups.delete(group);
      else Object.assign(of, { peak: of.batches, peakAtMs: this.#monotonicMs() });
    }
    return Math.max(of.batches, of.peak);
  }

  /** Those whose first lease has passed. */
  late(): [token: string, batch: BatchOut][] {
    const now = this.#monotonicMs();
    return [...this.#out].filter(([, { endsAtMs }]) => endsAtMs <= now);
  }

  rowsByGroup(): ReadonlyMap<string, number> {
    return new Map([...this.#groups].filter(([, { rows }]) => rows > 0).map(([group, { rows }]) => [group, rows]));
  }

  /** Forgets groups that had nothing out for a while. */
  tidy(): void {
    for (const group of this.#groups.keys()) this.peakOf(group);
  }

  #of(group: string): OfGroup {
    let of = this.#groups.get(group);
    if (of === undefined) {
      of = { batches: 0, rows: 0, peak: 0, peakAtMs: this.#monotonicMs() };
      this.#groups.set(group, of);
    }
    return of;
  }
}
