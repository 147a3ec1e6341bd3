/**
 * A cache with a cap and an age. The entry that was used least recently goes first; one that is too old is as good as none.
 * Ages are counted on the monotonic clock given.
 */
export class BoundedCache<K, V> {
  readonly #cap: number;
  readonly #ttlMs: number;
  readonly #monotonicMs: () => number;
  /** A Map iterates in order of insertion: the first is the one used least recently. */
  readonly #entries = new Map<K, { value: V; addedMs: number }>();

  constructor(options: { cap: number; ttlMs: number; clock: { monotonicMs(): number } }) {
    this.#cap = options.cap;
    this.#ttlMs = options.ttlMs;
    this.#monotonicMs = () => options.clock.monotonicMs();
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (this.#monotonicMs() - entry.addedMs >= this.#ttlMs) return undefined;
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, addedMs: this.#monotonicMs() });
    if (this.#entries.size <= this.#cap) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
