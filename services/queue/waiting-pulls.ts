import type { Clock } from '../../libs/runtime/clock.ts';
import { handoutLimits } from './limits.ts';

/** Pulls that wait for rows; their number is bounded. */
export class WaitingPulls {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isFull(): boolean {
    return this.#waiting.size >= handoutLimits.waitingPulls;
  }

  /** All look again. Returns false when none waited. */
  offer(): boolean {
    const waiting = [...this.#waiting];
    for (const look of waiting) look();
    return waiting.length > 0;
  }

  /** Until it is offered something, the time is over or the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const look = new AbortController();
    const wake = (): void => look.abort('rows');
    this.#waiting.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    await this.#clock.sleep(ms, look.signal);
    signal.removeEventListener('abort', wake);
    this.#waiting.delete(wake);
  }
}
