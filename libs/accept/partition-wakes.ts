import type { Bus } from '../bus/port.ts';
import type { Logger } from '../ops/logger.ts';

/**
 * Gathers the partitions that got rows and wakes their owners once for all messages of the same turn of the event loop: a group commit answers dozens of
 * accepts at once, and each owner needs to hear of it only once.
 */
export class PartitionWakes {
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #fanningOut = new Set<Promise<void>>();
  #waiting = new Set<number>();

  constructor(bus: Bus, log: Logger) {
    this.#bus = bus;
    this.#log = log;
  }

  add(partitions: Iterable<number>): void {
    if (this.#waiting.size === 0) setImmediate(() => this.#wake());
    for (const partition of partitions) this.#waiting.add(partition);
  }

  /** Wakes them once their rows are there. A fan-out that fails is left to the sweep of the message's owner. */
  addAfter(fanOut: Promise<unknown>, partitions: readonly number[]): void {
    const ended = fanOut.then(
      () => this.add(partitions),
      (err: unknown) => this.#log.warn({ err }, 'the fan-out of a message has failed: the sweep completes it'),
    );
    this.#fanningOut.add(ended);
    void ended.finally(() => this.#fanningOut.delete(ended));
  }

  /** Resolves when no fan-out is under way; those that begin meanwhile aren't waited for. */
  async settled(): Promise<void> {
    await Promise.all(this.#fanningOut);
  }

  #wake(): void {
    const partitions = [...this.#waiting];
    this.#waiting = new Set();
    this.#bus.wake('queue.rows', { partitions });
  }
}
