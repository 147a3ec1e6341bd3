import { Registry } from 'prom-client';
import { createLogger } from '../../libs/ops/logger.ts';
import type { LogLevel } from '../../libs/ops/log-levels.ts';
import { type Clock, systemClock } from '../../libs/runtime/clock.ts';
import type { Partitions } from '../../libs/store/ports/partitions.ts';
import { queueMetrics } from '../../services/queue/metrics.ts';
import { Ownership } from '../../services/queue/ownership.ts';

/** Owners of partitions that hear of each other at once, as over a bus. */
export class Owners {
  readonly live = new Map<string, Ownership>();
  readonly #partitions: Partitions;
  readonly #leaseMs: number;
  readonly #clock: Clock;
  readonly #onChanged: (owner: string) => void;

  constructor(options: {
    partitions: Partitions;
    leaseMs: number;
    clock?: Clock;
    onChanged?: (owner: string) => void;
  }) {
    this.#partitions = options.partitions;
    this.#leaseMs = options.leaseMs;
    this.#clock = options.clock ?? systemClock;
    this.#onChanged = options.onChanged ?? ((changed) => this.#tellOthers(changed));
  }

  add(owner: string, partitions: Partitions = this.#partitions): Ownership {
    const ownership = new Ownership({
      owner,
      partitions,
      leaseMs: this.#leaseMs,
      clock: this.#clock,
      log: createLogger({ level: (process.env['WAYPOST_TEST_LOG_LEVEL'] ?? 'silent') as LogLevel, service: 'test' }),
      metrics: queueMetrics(new Registry()),
      onAcquired: () => {},
      onLost: () => {},
      onChanged: () => this.#onChanged(owner),
    });
    this.live.set(owner, ownership);
    return ownership;
  }

  /** What each owner that lives may work on. */
  sizes(): number[] {
    return [...this.live.values()].map((ownership) => ownership.owned().length).toSorted((a, b) => a - b);
  }

  #tellOthers(changed: string): void {
    for (const [owner, ownership] of this.live) if (owner !== changed) ownership.look();
  }
}

/** How many each of `owners` has when all is even. */
export function evenSizes(owners: number, partitions = 256): number[] {
  const least = Math.floor(partitions / owners);
  const more = partitions % owners;
  return Array.from({ length: owners }, (_, n) => least + Number(n >= owners - more));
}
