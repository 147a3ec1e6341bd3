import type { Clock } from '../../runtime/clock.ts';
import { pullLimits } from './pull-limits.ts';

/** The queue owners that a worker has heard of, and which of them may have rows. */
export class KnownOwners {
  readonly #clock: Clock;
  /** When each was last heard of (monotonic). */
  readonly #heardAt = new Map<string, number>();
  readonly #ready = new Set<string>();
  /** Of whom an answer is awaited. */
  readonly #asked = new Set<string>();
  /** Until when (monotonic) those that could not claim are left alone. */
  readonly #pausedUntil = new Map<string, number>();
  readonly #waiting = new Set<AbortController>();
  #polledAtMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The owner says that it has rows, or has just given some. */
  heard(owner: string): void {
    if (!this.#heardAt.has(owner) && this.#heardAt.size >= pullLimits.owners) return;
    this.#heardAt.set(owner, this.#clock.monotonicMs());
    if (this.#isPaused(owner)) return;
    this.#ready.add(owner);
    this.#wakeOne();
  }

  /**
   * Takes the owner that has waited longest, to be asked now (and then `answered`); it is asked again only when it is heard of, or at the next poll. Never two
   * ask the same one at once: one that is frozen must not keep both from the others.
   */
  next(): string | undefined {
    for (const owner of this.#ready) {
      if (this.#asked.has(owner)) continue;
      this.#ready.delete(owner);
      this.#asked.add(owner);
      return owner;
    }
    return undefined;
  }

  /** It has answered, or won't. */
  answered(owner: string): void {
    this.#asked.delete(owner);
    if (this.#ready.has(owner)) this.#wakeOne();
  }

  /** Resolves when an owner is heard of, at the next poll (then all known ones are to be asked), or at `close`. */
  async wait(): Promise<void> {
    if (this.#closed || [...this.#ready].some((owner) => !this.#asked.has(owner))) return;
    const arrival = new AbortController();
    this.#waiting.add(arrival);
    await this.#clock.sleep(pullLimits.idlePollMs, arrival.signal);
    this.#waiting.delete(arrival);
    if (arrival.signal.aborted || this.#clock.monotonicMs() - this.#polledAtMs < pullLimits.idlePollMs) return;
    // However many wait, an owner that has nothing is asked once in that time.
    this.#polledAtMs = this.#clock.monotonicMs();
    for (const owner of this.#heardAt.keys()) if (!this.#isPaused(owner)) this.#ready.add(owner);
  }

  /** Nobody waits any more. */
  close(): void {
    this.#closed = true;
    for (const arrival of this.#waiting) arrival.abort('closed');
  }

  /** It didn't answer: forgotten when it has been silent for long. */
  silent(owner: string): void {
    const heardAt = this.#heardAt.get(owner);
    if (heardAt === undefined || this.#clock.monotonicMs() - heardAt < pullLimits.ownerSilenceMs) return;
    this.forget(owner);
  }

  /** It took a request and gave no answer: frozen, or cut off. When it goes on it is heard of. */
  forget(owner: string): void {
    this.#heardAt.delete(owner);
    this.#ready.delete(owner);
    this.#pausedUntil.delete(owner);
  }

  /** It could not claim, of which the others are not to suffer: it is asked again a little later. */
  failed(owner: string): void {
    this.#ready.delete(owner);
    if (this.#heardAt.has(owner)) this.#pausedUntil.set(owner, this.#clock.monotonicMs() + pullLimits.ownerPauseMs);
  }

  #isPaused(owner: string): boolean {
    const untilMs = this.#pausedUntil.get(owner);
    if (untilMs === undefined) return false;
    if (this.#clock.monotonicMs() < untilMs) return true;
    this.#pausedUntil.delete(owner);
    return false;
  }

  /** Whoever gets a batch says so (`heard`), and that wakes the next. */
  #wakeOne(): void {
    const [arrival] = this.#waiting;
    if (arrival === undefined) return;
    this.#waiting.delete(arrival);
    arrival.abort('heard');
  }
}
