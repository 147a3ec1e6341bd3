import type { Bus } from '../bus/port.ts';

/**
 * Gathers the partitions that got rows and wakes their owners once for all messages of the same turn of the event loop: a group commit answers dozens of
 * accepts at once, and each owner needs to hear of it only once.
 */
export class PartitionWakes {
  readonly #bus: Bus;
  #waiting = new Set<number>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  add(partition: number): void {
    if (this.#waiting.size === 0) setImmediate(() => this.#wake());
    this.#waiting.add(partition);
  }

  #wake(): void {
    const partitions = [...this.#waiting];
    this.#waiting = new Set();
    this.#bus.wake('queue.rows', { partitions });
  }
}
