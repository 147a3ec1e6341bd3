import type { Logger } from '../../../libs/ops/logger.ts';
import type { RouteResult } from '../../../libs/routing/result.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { remoteLimits } from './limits.ts';

/** libs/routing's `route` with all but the question. */
export type FindRoute = (query: RouteQuery, signal: AbortSignal) => Promise<RouteResult>;

export interface RouteQuery {
  destination: string;
  sender: string;
}

interface Wanted extends RouteQuery {
  key: string;
}

/**
 * Ways of destinations, each for as long as the DNS says. Look-ups are made beside everything else and so many at a time; those of new mail don't wait
 * for those of mail that was tried before, among which are all the destinations whose DNS doesn't answer.
 */
export class Routes {
  readonly #options: RoutesOptions;
  readonly #known = new Map<string, { result: RouteResult; untilMs: number }>();
  readonly #underway = new Set<string>();
  readonly #lines = { first: new Line(), again: new Line() };
  readonly #stopping = new AbortController();

  constructor(options: RoutesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Look-ups under way and waiting. */
  get pending(): number {
    return this.#underway.size;
  }

  /** What is known now. */
  get(key: string): RouteResult | undefined {
    const known = this.#known.get(key);
    return known !== undefined && known.untilMs > this.#options.clock.monotonicMs() ? known.result : undefined;
  }

  /** `onKnown` is called when the answer is there. */
  look(key: string, query: RouteQuery, isFirstTry: boolean): void {
    if (this.#underway.has(key) || this.#stopping.signal.aborted) return;
    this.#underway.add(key);
    const line = isFirstTry ? this.#lines.first : this.#lines.again;
    line.waiting.push({ key, ...query });
    this.#pump(line);
  }

  stop(): void {
    this.#stopping.abort(new Error('shutting down'));
  }

  #pump(line: Line): void {
    while (line.running < remoteLimits.lookUps) {
      const wanted = line.waiting.shift();
      if (wanted === undefined) return;
      line.running++;
      void this.#find(wanted).then(() => {
        line.running--;
        this.#pump(line);
      });
    }
  }

  async #find({ key, destination, sender }: Wanted): Promise<void> {
    const { find, onKnown, log } = this.#options;
    const { signal } = this.#stopping;
    let result: RouteResult;
    try {
      result = await find({ destination, sender }, signal);
    } catch (err) {
      this.#underway.delete(key);
      if (signal.aborted) return;
      log.error({ err, destination }, 'the way of a destination could not be looked up');
      const reply = { code: 451, status: '4.4.3', text: 'the way could not be looked up' };
      result = { kind: 'temporary', reply, ttlMs: remoteLimits.routeErrorMs };
    }
    this.#underway.delete(key);
    this.#keep(key, result);
    onKnown(key, destination, result);
  }

  #keep(key: string, result: RouteResult): void {
    const { leastRouteMs, longestRouteMs, routes } = remoteLimits;
    const forMs = Math.min(longestRouteMs, Math.max(leastRouteMs, result.ttlMs));
    this.#known.delete(key);
    this.#known.set(key, { result, untilMs: this.#options.clock.monotonicMs() + forMs });
    const [oldest] = this.#known.keys();
    if (this.#known.size > routes && oldest !== undefined) this.#known.delete(oldest);
  }
}

/** Bounded by the lanes of the window: each is in it once. */
class Line {
  running = 0;
  readonly waiting: Wanted[] = [];
}

export interface RoutesOptions {
  find: FindRoute;
  onKnown: (key: string, destination: string, result: RouteResult) => void;
  clock: Clock;
  log: Logger;
}
