import type { Clock } from '../../../libs/runtime/clock.ts';
import { deliveryLimits } from './limits.ts';

/** The queue owners that a worker has heard of, and which of them may have rows. */
export class KnownOwners {
  readonly #clock: Clock;
  /** When each was last heard of (monotonic). */
  readonly #heardAt = new Map<string, number>();
  readonly #ready = new Set<string>();
  readonly #waiting = new Set<AbortController>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The owner says that it has rows, or has just given some. */
  heard(owner: string): void {
    if (!this.#heardAt.has(owner) && this.#heardAt.size >= deliveryLimits.owners) return;
    this.#heardAt.set(owner, this.#clock.monotonicMs());
    this.#ready.add(owner);
    this.#stopWaiting();
  }

  /** Takes the owner that has waited longest; it is asked again only when it is heard of, or at the next poll. */
  next(): string | undefined {
    const [owner] = this.#ready;
    if (owner !== undefined) this.#ready.delete(owner);
    return owner;
  }

  /** Resolves when an owner is heard of, at the next poll (then all known ones are to be asked), or at `close`. */
  async wait(): Promise<void> {
    if (this.#ready.size > 0 || this.#closed) return;
    const arrival = new AbortController();
    this.#waiting.add(arrival);
    await this.#clock.sleep(deliveryLimits.idlePollMs, arrival.signal);
    this.#waiting.delete(arrival);
    if (!arrival.signal.aborted) for (const owner of this.#heardAt.keys()) this.#ready.add(owner);
  }

  /** Nobody waits any more. */
  close(): void {
    this.#closed = true;
    this.#stopWaiting();
  }

  /** It didn't answer: forgotten when it has been silent for long. */
  silent(owner: string): void {
    const heardAt = this.#heardAt.get(owner);
    if (heardAt === undefined || this.#clock.monotonicMs() - heardAt < deliveryLimits.ownerSilenceMs) return;
    this.#heardAt.delete(owner);
    this.#ready.delete(owner);
  }

  #stopWaiting(): void {
    for (const arrival of this.#waiting) arrival.abort('heard');
  }
}
