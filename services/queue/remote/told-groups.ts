import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Groups } from '../../../libs/store/ports/groups.ts';
import { remoteLimits } from './limits.ts';

/** Tells the store which group each destination has, when that is new, and once an hour. Bounded; what is forgotten is told again. */
export class ToldGroups {
  readonly #groups: Groups;
  readonly #clock: Clock;
  readonly #told = new Map<string, { group: string; atMs: number }>();
  readonly #untold = new Map<string, string>();

  constructor(groups: Groups, clock: Clock) {
    this.#groups = groups;
    this.#clock = clock;
  }

  add(destination: string, group: string): void {
    const told = this.#told.get(destination);
    const isRecent = told !== undefined && this.#clock.monotonicMs() - told.atMs < tellAgainMs;
    if (isRecent && told.group === group) return;
    if (this.#untold.size < remoteLimits.routes) this.#untold.set(destination, group);
  }

  async tell(): Promise<void> {
    const routes = [...this.#untold].slice(0, routesAtOnce).map(([destination, group]) => ({ destination, group }));
    if (routes.length === 0) return;
    await this.#groups.routed(routes, this.#clock.nowMs());
    const atMs = this.#clock.monotonicMs();
    for (const { destination, group } of routes) {
      if (this.#untold.get(destination) === group) this.#untold.delete(destination);
      this.#told.delete(destination);
      this.#told.set(destination, { group, atMs });
    }
    for (const destination of this.#told.keys()) {
      if (this.#told.size <= remoteLimits.routes) break;
      this.#told.delete(destination);
    }
  }
}

const tellAgainMs = 60 * 60_000;
const routesAtOnce = 500;
