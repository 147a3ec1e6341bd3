import type { Limits } from '../../../libs/delivery/limits/limits.ts';
import { withSet } from '../../../libs/delivery/limits/limits.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { unusedGroup } from '../../../libs/store/group-rules.ts';
import type { DestinationStanding, Groups, GroupStanding } from '../../../libs/store/ports/groups.ts';
import type { BatchesOut } from './batches-out.ts';
import { remoteLimits } from './limits.ts';

/** What the limits say of one destination of a group now. */
export type Verdict =
  | { kind: 'go'; limits: Limits; room: number }
  | { kind: 'full' }
  | { kind: 'paused' }
  /** `until`: of the Clock port. */
  | { kind: 'resting'; until: number };

export interface Asked {
  destination: string;
  group: string;
  /** Configured. */
  limits: Limits;
}

/** Standings of groups and destinations, a second old at most when they are used. */
export class Standings {
  readonly #options: { groups: Pick<Groups, 'groups' | 'standing'>; out: BatchesOut; clock: Clock };
  readonly #groups = new Map<string, { standing: GroupStanding; readAtMs: number }>();
  readonly #paused = new Map<string, { paused: boolean; readAtMs: number }>();
  #reading: Promise<void> | undefined;

  constructor(options: { groups: Pick<Groups, 'groups' | 'standing'>; out: BatchesOut; clock: Clock }) {
    this.#options = options;
  }

  isFresh({ destination, group }: Pick<Asked, 'destination' | 'group'>): boolean {
    return this.isFreshGroup(group) && this.#isFresh(this.#paused.get(destination));
  }

  isFreshGroup(group: string): boolean {
    return this.#isFresh(this.#groups.get(group));
  }

  /** Reads what is not fresh of these; who comes while a read is under way waits for it and asks again. */
  async refresh(asked: readonly Pick<Asked, 'destination' | 'group'>[]): Promise<void> {
    if (this.#reading === undefined) {
      this.#reading = this.#read(asked).finally(() => {
        this.#reading = undefined;
      });
    }
    await this.#reading;
  }

  /** Another look is to see what an operator has just done. */
  forget(): void {
    this.#groups.clear();
    this.#paused.clear();
  }

  verdict({ destination, group, limits }: Asked): Verdict {
    const { clock, out } = this.#options;
    const standing = this.#groups.get(group)?.standing ?? unusedGroup(group);
    if (standing.paused !== null || this.#paused.get(destination)?.paused === true) return { kind: 'paused' };
    const { resting } = standing;
    if (resting !== null && resting.until > clock.nowMs()) return { kind: 'resting', until: resting.until };
    const inEffect = withSet(limits, standing.limits);
    const allowed = Math.min(inEffect.connections, resting === null ? Math.floor(standing.allowed) : 1);
    // Connections of other owners' batches; one is always left to us, or we would never get any.
    const others = Math.max(0, standing.inUse - out.peakOf(group));
    const room = Math.max(1, allowed - others) - out.of(group);
    return room > 0 ? { kind: 'go', limits: inEffect, room } : { kind: 'full' };
  }

  /** Groups that are known to rest or to be paused. */
  resting(): number {
    const now = this.#options.clock.nowMs();
    let many = 0;
    for (const { standing } of this.#groups.values())
      if (standing.paused !== null || (standing.resting !== null && standing.resting.until > now)) many++;
    return many;
  }

  async #read(asked: readonly Pick<Asked, 'destination' | 'group'>[]): Promise<void> {
    const { groups, clock } = this.#options;
    const some = asked.slice(0, remoteLimits.standingsPerRead);
    const names = [...new Set(some.map(({ group }) => group))].filter((group) => !this.isFreshGroup(group));
    const destinations = [...new Set(some.map(({ destination }) => destination))].filter(
      (destination) => !this.#isFresh(this.#paused.get(destination)),
    );
    const readAtMs = clock.monotonicMs();
    const [standings, paused] = await Promise.all([
      names.length > 0 ? groups.groups(names) : new Map<string, GroupStanding>(),
      destinations.length > 0 ? groups.standing(destinations) : new Map<string, DestinationStanding>(),
    ]);
    for (const name of names)
      keep(this.#groups, name, { standing: standings.get(name) ?? unusedGroup(name), readAtMs });
    for (const name of destinations)
      keep(this.#paused, name, { paused: (paused.get(name)?.paused ?? null) !== null, readAtMs });
  }

  #isFresh(known: { readAtMs: number } | undefined): boolean {
    return known !== undefined && this.#options.clock.monotonicMs() - known.readAtMs < remoteLimits.standingMs;
  }
}

function keep<T>(known: Map<string, T>, name: string, value: T): void {
  known.delete(name);
  known.set(name, value);
  const [oldest] = known.keys();
  if (known.size > remoteLimits.standings && oldest !== undefined) known.delete(oldest);
}
