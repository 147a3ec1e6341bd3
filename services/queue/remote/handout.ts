import type { Bus } from '../../../libs/bus/port.ts';
import type { Batch, RequestOf } from '../../../libs/bus/requests.ts';
import { type LimitRule, limitsFor } from '../../../libs/delivery/limits/limits.ts';
import type { Routed } from '../../../libs/routing/result.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { newId } from '../../../libs/runtime/ids.ts';
import type { Groups } from '../../../libs/store/ports/groups.ts';
import { batchRow } from '../batch-row.ts';
import type { QueueMetrics } from '../metrics.ts';
import type { Ownership } from '../ownership.ts';
import { WaitingPulls } from '../waiting-pulls.ts';
import type { BatchesOut } from './batches-out.ts';
import type { RemoteClaims } from './claims.ts';
import type { Lane, Lanes } from './lanes.ts';
import { remoteLimits } from './limits.ts';
import type { Obstacles } from './obstacles.ts';
import type { Routes } from './routes.ts';
import type { Asked, Standings, Verdict } from './standings.ts';
import type { UnroutableRows } from './unroutable.ts';
import { wayOf } from './way.ts';

type Go = Extract<Verdict, { kind: 'go' }>;

/**
 * Answers workers that pull mail for outside: one batch is of one destination that may go now, by its route, its group's standing and its rate. Whatever
 * keeps one destination waiting never keeps another.
 */
export class RemoteHandout {
  readonly #options: RemoteHandoutOptions;
  readonly #waiting: WaitingPulls;
  #closed = false;
  #wokenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RemoteHandoutOptions) {
    this.#options = options;
    this.#waiting = new WaitingPulls(options.clock);
  }

  async pull(request: RequestOf<'queue.pull'>, signal: AbortSignal): Promise<Batch> {
    const { clock, owner, leaseMs } = this.#options;
    const deadlineMs = clock.monotonicMs() + request.waitMs;
    while (!this.#closed && !signal.aborted) {
      const batch = await this.#next(request.capacity, signal);
      if (batch !== undefined) return batch;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || this.#waiting.isFull) break;
      await this.#waiting.wait(leftMs, signal);
    }
    return { claim: { owner, token: newId() }, leaseMs, rows: [] };
  }

  /** Some destination may go now: pulls that wait look again, else workers are woken. */
  offer(): void {
    const { lanes, bus, owner, clock } = this.#options;
    if (lanes.inTurn === 0 || this.#closed || this.#waiting.offer()) return;
    const now = clock.monotonicMs();
    // A worker that misses this is woken with the next tick.
    if (now - this.#wokenAtMs < leastWakeGapMs) return;
    this.#wokenAtMs = now;
    bus.wake('queue.ready', { owner, kind: 'remote' });
  }

  /** From now on every pull gets an empty batch. */
  close(): void {
    this.#closed = true;
    this.#waiting.offer();
  }

  /** Rows that workers could be given now: of each group no more than its free connections take, and its rate. */
  readyRows(): number {
    const { lanes, routes, standings } = this.#options;
    const byGroup = new Map<string, { rows: number; asked: Asked }>();
    for (const lane of lanes.all()) {
      const route = routes.get(lane.key);
      if (route?.kind !== 'routed') continue;
      const asked = this.#askedOf(lane, route);
      const known = byGroup.get(asked.group);
      if (known !== undefined) known.rows += lane.rows.length;
      else byGroup.set(asked.group, { rows: lane.rows.length, asked });
    }
    let ready = 0;
    for (const { rows, asked } of byGroup.values()) {
      const verdict = standings.verdict(asked);
      if (verdict.kind !== 'go') continue;
      const { perConnection, perSecond } = verdict.limits;
      const most = verdict.room * Math.min(perConnection, remoteLimits.batchRows);
      ready += Math.min(rows, most, perSecond > 0 ? perSecond : Number.POSITIVE_INFINITY);
    }
    return ready;
  }

  async #next(capacity: number, signal: AbortSignal): Promise<Batch | undefined> {
    const { lanes, standings, obstacles, ownership } = this.#options;
    for (let looks = 0; looks < remoteLimits.looksPerPull && !this.#closed; looks++) {
      const lane = lanes.next();
      if (lane === undefined) return undefined;
      if (!ownership.owns(lane.partition)) {
        lanes.drop(lane);
        continue;
      }
      const routed = this.#routeOf(lane);
      if (routed === undefined) continue;
      const asked = this.#askedOf(lane, routed);
      if (!standings.isFresh(asked)) {
        await standings.refresh(this.#upcoming());
        continue;
      }
      const verdict = standings.verdict(asked);
      if (verdict.kind !== 'go') {
        obstacles.keep(lane, asked, verdict);
        continue;
      }
      const batch = await this.#handOut(lane, { routed, asked, verdict, capacity, signal });
      if (batch !== undefined) return batch;
      if (signal.aborted) return undefined;
    }
    return undefined;
  }

  /** Undefined: it has none now, and the lane waits for what there is to do about it. */
  #routeOf(lane: Lane): Routed | undefined {
    const { lanes, routes, unroutable } = this.#options;
    const result = routes.get(lane.key);
    if (result?.kind === 'routed') return result;
    lanes.park(lane);
    if (result === undefined)
      routes.look(lane.key, { destination: lane.destination, sender: lane.sender }, lane.rows[0]?.attempts === 0);
    else unroutable.end(lane.key, result);
    return undefined;
  }

  /** A claim for one batch of the lane. The batch counts before anything is waited for, so that no other pull takes its place. */
  async #handOut(lane: Lane, { routed, asked, verdict, capacity, signal }: HandOut): Promise<Batch | undefined> {
    const { lanes, claims, out, clock, owner, leaseMs, limitRules: rules, random, metrics } = this.#options;
    const token = newId();
    const most = Math.min(capacity, verdict.limits.perConnection, remoteLimits.batchRows);
    out.add(token, { group: asked.group, rows: 0, lastId: '', endsAtMs: clock.monotonicMs() + leaseMs });
    try {
      lanes.park(lane);
      const many = await this.#allowedByRate(lane, asked, verdict, Math.min(most, lane.rows.length));
      if (many === 0 || lane.rows.length === 0) return undefined;
      const taken = lanes.take(lane, many);
      if (lanes.isLow(lane) || (lane.more && lane.rows.length === 0)) this.#options.mark([lane.partition]);
      const claimedAtMs = clock.monotonicMs();
      const rows = await claims.claim(taken, token);
      const last = rows.at(-1);
      if (last === undefined) return undefined;
      if (signal.aborted) {
        await claims.handBack(rows);
        return undefined;
      }
      out.renewed(token, { rows: rows.length, lastId: last.id, endsAtMs: claimedAtMs + leaseMs });
      metrics.handedOut.inc({ kind: 'remote' }, rows.length);
      metrics.batchRows.observe({ kind: 'remote' }, rows.length);
      const way = wayOf(lane.destination, routed, { rules, random });
      return { claim: { owner, token }, leaseMs, way, rows: rows.map(batchRow) };
    } catch (error) {
      lanes.unpark(lane.key);
      throw error;
    } finally {
      // Nothing is out under it: the place in the group is free again.
      if (out.isEmpty(token)) this.#options.obstacles.settled(token);
    }
  }

  /** How many may go by the group's rate, tokens taken; 0: the lane waits until there are more. */
  async #allowedByRate(lane: Lane, { group, limits }: Asked, verdict: Go, want: number): Promise<number> {
    const { groups, clock, obstacles } = this.#options;
    if (verdict.limits.perSecond === 0) return want;
    const { got, nextInMs } = await groups.takeTokens({ group, want, limits, now: clock.nowMs() });
    if (got === 0) obstacles.waitForTokens(lane, nextInMs);
    return got;
  }

  /** What the lanes that are next ask for, of those whose way is known. */
  #upcoming(): Asked[] {
    const { lanes, routes } = this.#options;
    return lanes.upcoming(remoteLimits.standingsPerRead).flatMap((lane) => {
      const route = routes.get(lane.key);
      return route?.kind === 'routed' ? [this.#askedOf(lane, route)] : [];
    });
  }

  #askedOf({ destination }: Lane, { hosts }: Routed): Asked {
    const group = hosts[0]?.group ?? destination;
    return { destination, group, limits: limitsFor(group, this.#options.limitRules) };
  }
}

/** Between two wake-ups of workers. */
const leastWakeGapMs = 50;

interface HandOut {
  routed: Routed;
  asked: Asked;
  verdict: Go;
  capacity: number;
  signal: AbortSignal;
}

export interface RemoteHandoutOptions {
  owner: string;
  leaseMs: number;
  lanes: Lanes;
  routes: Routes;
  standings: Standings;
  obstacles: Obstacles;
  unroutable: UnroutableRows;
  claims: RemoteClaims;
  out: BatchesOut;
  groups: Groups;
  ownership: Pick<Ownership, 'owns'>;
  limitRules: readonly LimitRule[];
  bus: Bus;
  clock: Clock;
  /** In [0, 1): the order of equal hosts. */
  random: () => number;
  metrics: QueueMetrics;
  /** Rows of these partitions are to be read. */
  mark: (partitions: readonly number[]) => void;
}
