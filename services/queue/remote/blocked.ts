import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Limits } from '../../../libs/delivery/limits/limits.ts';
import { remoteLimits } from './limits.ts';

/** A lane that can't go for some time: none of its rows is in the window, and it is not read. */
export interface BlockedLane {
  key: string;
  destination: string;
  partition: number;
  group: string;
  limits: Limits;
  /** Of the Clock port: the end of a rest. */
  until?: number;
  /** Monotonic: when to look again. */
  untilMs?: number;
}

/** What is left alone for now, and until when. Bounded: the oldest are forgotten, which only makes them be read once more. */
export class Blocked {
  readonly #clock: Clock;
  readonly #lanes = new Map<string, BlockedLane>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#lanes.size;
  }

  all(): Iterable<BlockedLane> {
    return this.#lanes.values();
  }

  has(key: string): boolean {
    return this.#lanes.has(key);
  }

  add(lane: BlockedLane): void {
    this.#lanes.delete(lane.key);
    this.#lanes.set(lane.key, lane);
    const [oldest] = this.#lanes.keys();
    if (this.#lanes.size > remoteLimits.blocked && oldest !== undefined) this.#lanes.delete(oldest);
  }

  remove(key: string): void {
    this.#lanes.delete(key);
  }

  /** Whose time has come, the first `limit`. */
  due(limit: number): BlockedLane[] {
    const due: BlockedLane[] = [];
    const [now, nowMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()];
    for (const lane of this.#lanes.values()) {
      const isDue = (lane.until !== undefined && lane.until <= now) || (lane.untilMs ?? Infinity) <= nowMs;
      if (isDue && due.push(lane) >= limit) break;
    }
    return due;
  }

  /** Something was changed by an operator: all of these partitions are due. */
  lookAgain(partitions: ReadonlySet<number>): void {
    for (const lane of this.#lanes.values()) if (partitions.has(lane.partition)) lane.untilMs = 0;
  }
}
