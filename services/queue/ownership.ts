import { partitionCount } from '../../libs/delivery/row.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { Periodic } from '../../libs/runtime/periodic.ts';
import type { PartitionLease, Partitions } from '../../libs/store/ports/partitions.ts';
import type { QueueMetrics } from './metrics.ts';

interface Held {
  epoch: number;
  /** On the monotonic clock: the lease has certainly not ended before this. */
  untilMs: number;
  /** Another owner is to have it: nothing is handed out any more, and the next round gives it back. */
  leaving: boolean;
}

/**
 * The partitions that this process owns. Leases expire by the store's clock; this side counts its own from *before* each request on the monotonic
 * clock, so that it always stops earlier than the store lets another one in. Every third of a lease it announces itself, renews, takes free
 * partitions up to its share and lets go of what is above it.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #held = new Map<number, Held>();
  readonly #rounds: Periodic;
  #lastRoundMs = Number.NEGATIVE_INFINITY;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    this.#rounds = new Periodic({
      name: 'partition leases',
      intervalMs: Math.ceil(options.leaseMs / 3),
      clock: options.clock,
      log: options.log,
      task: () => this.round(),
    });
  }

  start(): void {
    this.#rounds.start();
  }

  /** Gives everything back at once, so that a takeover needs no wait. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
    const { partitions, owner, log } = this.#options;
    const leases = [...this.#held].map(([partition, { epoch }]) => ({ partition, epoch }));
    this.#held.clear();
    try {
      await partitions.announce({ owner, leaseMs: 0 });
      if (leases.length > 0) await partitions.release({ owner, leases });
    } catch (err) {
      log.warn({ err }, 'the partitions could not be given back: they go over when their leases end');
    }
  }

  /** False: for the time of a lease no round has succeeded, so that nothing is ours any more. */
  get reachesStore(): boolean {
    return this.#options.clock.monotonicMs() - this.#lastRoundMs < this.#options.leaseMs;
  }

  /** The partitions that are ours for certain and may be worked on now. */
  owned(): number[] {
    return [...this.#held.keys()].filter((partition) => this.owns(partition));
  }

  owns(partition: number): boolean {
    const held = this.#held.get(partition);
    return held !== undefined && !held.leaving && this.#options.clock.monotonicMs() < held.untilMs;
  }

  /** The leases of those of `partitions` that are ours for certain. */
  leasesOf(partitions: Iterable<number>): PartitionLease[] {
    const leases: PartitionLease[] = [];
    for (const partition of partitions) {
      const held = this.#held.get(partition);
      if (held !== undefined && this.owns(partition)) leases.push({ partition, epoch: held.epoch });
    }
    return leases;
  }

  /** One round of announcing, renewing, taking and giving back. */
  async round(): Promise<void> {
    const { partitions, owner, leaseMs, clock } = this.#options;
    const startedMs = clock.monotonicMs();
    await this.#renew();
    const alive = [...new Set([...(await partitions.announce({ owner, leaseMs })), owner])].toSorted();
    const share = Math.ceil(partitionCount / alive.length);
    await this.#giveBack();
    if (this.#held.size < share) await this.#take(share - this.#held.size, alive);
    else this.#markLeaving(this.#held.size - share, alive);
    this.#lastRoundMs = startedMs;
  }

  async #renew(): Promise<void> {
    const { partitions, owner, leaseMs, clock } = this.#options;
    const mine = [...this.#held].map(([partition, { epoch }]) => ({ partition, epoch }));
    if (mine.length === 0) return;
    const askedAtMs = clock.monotonicMs();
    const renewed = new Map(
      (await partitions.renew({ owner, leases: mine, leaseMs })).map((lease) => [lease.partition, lease.epoch]),
    );
    const lost: number[] = [];
    for (const [partition, held] of this.#held) {
      if (renewed.get(partition) === held.epoch) held.untilMs = askedAtMs + leaseMs;
      else lost.push(partition);
    }
    if (lost.length > 0) {
      this.#options.log.warn({ partitions: lost.length }, 'leases of partitions were lost to another owner');
      this.#forget(lost);
    }
  }

  /** Takes free partitions; those that the others leave to us first, so that owners that start together don't want the same ones. */
  async #take(many: number, alive: readonly string[]): Promise<void> {
    const { partitions, owner, leaseMs, clock, metrics } = this.#options;
    const standing = await partitions.list();
    const free = standing.filter(
      ({ partition, remainingMs, owner: holder }) =>
        !this.#held.has(partition) && (holder === null || remainingMs <= 0),
    );
    if (free.length === 0) return;
    const preferred = preference(alive, owner);
    const wanted = free
      .toSorted((a, b) => Number(preferred(b.partition)) - Number(preferred(a.partition)))
      .slice(0, many);
    const askedAtMs = clock.monotonicMs();
    const got = await partitions.acquire({ owner, partitions: wanted.map(({ partition }) => partition), leaseMs });
    for (const { partition, epoch } of got)
      this.#held.set(partition, { epoch, untilMs: askedAtMs + leaseMs, leaving: false });
    if (got.length === 0) return;
    const gotPartitions = got.map(({ partition }) => partition);
    const fromOthers = wanted.filter(
      ({ partition, owner: holder }) => holder !== null && holder !== owner && gotPartitions.includes(partition),
    );
    metrics.takeovers.inc(fromOthers.length);
    this.#options.onAcquired(gotPartitions);
  }

  #markLeaving(many: number, alive: readonly string[]): void {
    if (many <= 0) return;
    const preferred = preference(alive, this.#options.owner);
    const leaving = [...this.#held.keys()]
      .toSorted((a, b) => Number(preferred(a)) - Number(preferred(b)))
      .slice(0, many);
    for (const partition of leaving) {
      const held = this.#held.get(partition);
      if (held !== undefined) held.leaving = true;
    }
    this.#options.onLost(leaving);
  }

  async #giveBack(): Promise<void> {
    const leaving = [...this.#held].filter(([, held]) => held.leaving);
    if (leaving.length === 0) return;
    const leases = leaving.map(([partition, { epoch }]) => ({ partition, epoch }));
    await this.#options.partitions.release({ owner: this.#options.owner, leases });
    for (const { partition } of leases) this.#held.delete(partition);
  }

  #forget(lost: readonly number[]): void {
    for (const partition of lost) this.#held.delete(partition);
    this.#options.onLost(lost);
  }
}

export interface OwnershipOptions {
  /** Unique for this start of the process. */
  owner: string;
  partitions: Partitions;
  leaseMs: number;
  clock: Clock;
  log: Logger;
  metrics: QueueMetrics;
  /** Partitions that are ours from now on: what their former owner left must be looked at. */
  onAcquired: (partitions: readonly number[]) => void;
  /** Partitions of which nothing may be handed out from now on. */
  onLost: (partitions: readonly number[]) => void;
}

/** Each of the living owners prefers its own residue class. */
function preference(alive: readonly string[], owner: string): (partition: number) => boolean {
  const index = alive.indexOf(owner);
  return (partition) => partition % alive.length === index;
}
