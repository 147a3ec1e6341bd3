import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { BatchesOut } from './batches-out.ts';
import type { Blocked, BlockedLane } from './blocked.ts';
import type { Lane, Lanes } from './lanes.ts';
import { remoteLimits } from './limits.ts';
import type { Asked, Standings, Verdict } from './standings.ts';

type Obstacle = Exclude<Verdict, { kind: 'go' }>;

/**
 * What keeps destinations from going, and when it is over. Paused and resting ones leave the window; those whose group is full, or that wait for tokens, stay in
 * it without a turn. `tick` finds out what is over; a batch that ends gives its place to the lane that waits longest.
 */
export class Obstacles {
  readonly #options: ObstaclesOptions;
  /** Lanes that wait for a place in their group, longest first. */
  readonly #full = new Map<string, Map<string, Asked>>();
  /** By lane, monotonic. */
  readonly #tokensAtMs = new Map<string, number>();

  constructor(options: ObstaclesOptions) {
    this.#options = options;
  }

  /** The lane can't go: it takes no part in the turns until that is over. */
  keep(lane: Lane, asked: Asked, why: Obstacle): void {
    const { lanes, blocked, clock } = this.#options;
    if (why.kind === 'full') {
      lanes.park(lane);
      const waiting = this.#full.get(asked.group) ?? new Map<string, Asked>();
      waiting.set(lane.key, asked);
      this.#full.set(asked.group, waiting);
      return;
    }
    const { key, destination, partition } = lane;
    lanes.drop(lane);
    const ends = endOf(why, clock);
    blocked.add({ key, destination, partition, group: asked.group, limits: asked.limits, ...ends });
  }

  waitForTokens(lane: Lane, nextInMs: number): void {
    this.#options.lanes.park(lane);
    this.#tokensAtMs.set(lane.key, this.#options.clock.monotonicMs() + Math.max(1, nextInMs));
  }

  /** A batch has ended. Returns true when a lane has got its place. */
  settled(token: string): boolean {
    const group = this.#options.out.ended(token);
    return group !== undefined && this.#free(group, 1) > 0;
  }

  /** Destinations that are not to be read: the blocked ones, and those with rows enough. With several lanes, all of them must be so. */
  skips(): ReadonlySet<string> {
    const { lanes, blocked } = this.#options;
    const closed = new Set<string>();
    const keys = new Set<string>();
    for (const { destination, key } of blocked.all()) {
      closed.add(destination);
      keys.add(key);
    }
    for (const { destination, key } of lanes.full()) {
      closed.add(destination);
      keys.add(key);
    }
    for (const { destination, key } of lanes.all()) if (!keys.has(key)) closed.delete(destination);
    return closed;
  }

  /** Rows of blocked lanes may come with those of other lanes of the destination: they stay in the store. */
  isBlocked(key: string): boolean {
    return this.#options.blocked.has(key);
  }

  async tick(): Promise<void> {
    this.#releaseTokens();
    await this.#lookAtLateBatches();
    await this.#lookAtBlocked();
    await this.#lookAtFullGroups();
    this.#options.out.tidy();
  }

  /** An operator has changed something about destinations of these partitions. */
  lookAgain(partitions: readonly number[]): void {
    this.#options.standings.forget();
    this.#options.blocked.lookAgain(new Set(partitions));
  }

  #releaseTokens(): void {
    const now = this.#options.clock.monotonicMs();
    for (const [key, atMs] of this.#tokensAtMs) {
      if (atMs > now) continue;
      this.#tokensAtMs.delete(key);
      this.#options.lanes.unpark(key);
    }
  }

  /** Wake-ups get lost, and nobody tells of a renewal: the store knows whether the last row is still leased under that claim. */
  async #lookAtLateBatches(): Promise<void> {
    const { out, deliveries, clock, leaseMs, endLeases } = this.#options;
    const late = out.late().slice(0, latePerTick);
    if (late.length > 0) await endLeases();
    for (const [token, { lastId }] of late) {
      const found = lastId === '' ? undefined : await deliveries.get(lastId);
      const endsAtMs = clock.monotonicMs() + leaseMs / 3;
      if (found?.row.claim?.token === token) out.renewed(token, { endsAtMs });
      else this.settled(token);
    }
  }

  async #lookAtBlocked(): Promise<void> {
    const { blocked, standings, clock, mark } = this.#options;
    const due = blocked.due(remoteLimits.standingsPerRead);
    if (due.length === 0) return;
    await standings.refresh(due);
    const free: BlockedLane[] = [];
    for (const lane of due) {
      if (!standings.isFresh(lane)) continue;
      const verdict = standings.verdict(lane);
      if (verdict.kind === 'go' || verdict.kind === 'full') free.push(lane);
      else blocked.add({ ...withoutEnds(lane), ...endOf(verdict, clock) });
    }
    for (const { key } of free) blocked.remove(key);
    if (free.length > 0) mark([...new Set(free.map(({ partition }) => partition))]);
  }

  async #lookAtFullGroups(): Promise<void> {
    const { standings } = this.#options;
    const stale: Asked[] = [];
    for (const [group, waiting] of this.#full) {
      const [first] = waiting.values();
      if (first === undefined) this.#full.delete(group);
      else if (!standings.isFreshGroup(group)) stale.push(first);
    }
    if (stale.length > 0) await standings.refresh(stale);
    for (const [group, waiting] of this.#full) {
      const [first] = waiting.values();
      if (first === undefined) continue;
      const verdict = standings.verdict(first);
      // Paused or resting: each finds that out at its turn, and leaves the window.
      const many = verdict.kind === 'go' ? verdict.room : verdict.kind === 'full' ? 0 : leavingPerTick;
      this.#free(group, many);
    }
  }

  #free(group: string, many: number): number {
    const waiting = this.#full.get(group);
    if (waiting === undefined) return 0;
    let freed = 0;
    for (const key of waiting.keys()) {
      if (freed >= many) break;
      waiting.delete(key);
      const isThere = this.#options.lanes.get(key) !== undefined;
      this.#options.lanes.unpark(key);
      if (isThere) freed++;
    }
    if (waiting.size === 0) this.#full.delete(group);
    return freed;
  }
}

const latePerTick = 20;
const leavingPerTick = 500;

function endOf(why: Exclude<Obstacle, { kind: 'full' }>, clock: Clock): Pick<BlockedLane, 'until' | 'untilMs'> {
  if (why.kind === 'resting') return { until: why.until };
  return { untilMs: clock.monotonicMs() + remoteLimits.pausedMs };
}

function withoutEnds({ until: _, untilMs: __, ...lane }: BlockedLane): BlockedLane {
  return lane;
}

export interface ObstaclesOptions {
  lanes: Lanes;
  blocked: Blocked;
  standings: Standings;
  out: BatchesOut;
  deliveries: Pick<Deliveries, 'get'>;
  clock: Clock;
  leaseMs: number;
  /** Brings back rows whose lease has ended. */
  endLeases: () => Promise<void>;
  /** Rows of these partitions are to be read. */
  mark: (partitions: readonly number[]) => void;
}
