/** Entries kept; past it the sender that sent longest ago is forgotten, which only makes it go first once. */
const rankCapacity = 50_000;

/**
 * What a message costs its sender: so much later stands its next one. A sender that is slower than that at a destination never waits behind one that is faster, as
 * long as the destination takes mail that fast; at a millisecond a million messages of one sender would stand before whatever comes a quarter of an hour later.
 */
const costMs = 1_000;
/** Bytes that cost as much as a message. */
const bytesPerCost = 64 * 1024;

/**
 * The last rank of each sender at each destination, kept by each accepting process. A message's rank is max(now, the last rank of its sender at that
 * destination) + its cost, so that the millionth message of one sender stands behind the first one of another.
 */
export class Ranks {
  readonly #last = new Map<string, number>();
  readonly #capacity: number;

  constructor(capacity = rankCapacity) {
    this.#capacity = capacity;
  }

  /** Takes the next rank (ms) of `sender` at `destination` for a message of that size. */
  next(sender: string, destination: string, sizeBytes: number, nowMs: number): number {
    const key = `${destination}\n${sender}`;
    const last = this.#last.get(key);
    const rank = Math.max(nowMs, last ?? 0) + costMs * (1 + Math.floor(sizeBytes / bytesPerCost));
    // Deleting first keeps the map in the order of use.
    if (last !== undefined) this.#last.delete(key);
    this.#last.set(key, rank);
    if (this.#last.size > this.#capacity) this.#forgetOldest();
    return rank;
  }

  get size(): number {
    return this.#last.size;
  }

  #forgetOldest(): void {
    for (const key of this.#last.keys()) {
      this.#last.delete(key);
      return;
    }
  }
}
