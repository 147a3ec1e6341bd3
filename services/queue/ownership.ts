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
  /** Monotonic; another owner is to have it. */
  leavingSinceMs?: number;
}

/**
 * The partitions that this process owns. Leases expire by the store's clock; this side counts its own from *before* each request on the monotonic
 * clock, so that it always stops earlier than the store lets another one in. Every third of a lease, and when others come, go or give back, it announces
 * itself, renews, takes free partitions up to its share and lets go of what is above it.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #held = new Map<number, Held>();
  readonly #rounds: Periodic;
  readonly #stopping = new AbortController();
  #lastRoundMs = Number.NEGATIVE_INFINITY;
  /** Ends the wait for a lease of another that is about to end. */
  #waiting = new AbortController();
  #isKnown = false;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    this.#rounds = new Periodic({
      name: 'partition leases',
      intervalMs: Math.ceil(options.leaseMs / roundsPerLease),
      minGapMs: Math.min(leastGapMs, options.leaseMs / 50),
      clock: options.clock,
      log: options.log,
      task: () => this.round(),
    });
  }

  start(): void {
    this.#rounds.start();
  }

  /** Others have come, gone or given partitions back. */
  look(): void {
    this.#rounds.kick();
  }

  /** Gives everything back at once, so that a takeover needs no wait. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.abort();
    await this.#rounds.stop();
    const { partitions, owner, log, onChanged } = this.#options;
    const leases = [...this.#held].map(([partition, { epoch }]) => ({ partition, epoch }));
    this.#held.clear();
    try {
      await partitions.announce({ owner, leaseMs: 0 });
      if (leases.length > 0) await partitions.release({ owner, leases });
      onChanged();
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
    return held !== undefined && held.leavingSinceMs === undefined && this.#options.clock.monotonicMs() < held.untilMs;
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

  /** One round of announcing, renewing, giving back and taking. */
  async round(): Promise<void> {
    const { partitions, owner, leaseMs, clock, onChanged } = this.#options;
    const startedMs = clock.monotonicMs();
    // Before the leases: when those of one that died have ended, it counts no more.
    const alive = [...new Set([...(await partitions.announce({ owner, leaseMs })), owner])].toSorted();
    await this.#renew();
    const share = shareOf(alive, owner);
    const gaveBack = await this.#giveBack();
    const working = [...this.#held.values()].filter(({ leavingSinceMs }) => leavingSinceMs === undefined).length;
    if (working > share.size) this.#markLeaving(working - share.size, share);
    else if (working < share.size) this.#keep(share.size - working, share);
    await this.#take(share);
    this.#lastRoundMs = startedMs;
    if (gaveBack || !this.#isKnown) onChanged();
    this.#isKnown = true;
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
  async #take(share: Share): Promise<void> {
    // Another may have been faster with some of them, and left others.
    for (let tries = 0; tries < maxTakes; tries++) {
      const standing = await this.#options.partitions.list();
      const free = standing.filter(
        ({ partition, remainingMs, owner: holder }) =>
          !this.#held.has(partition) && (holder === null || remainingMs <= 0),
      );
      const wants = share.size - this.#held.size;
      if (wants <= 0 || free.length === 0) {
        this.#lookWhenOneEnds(standing);
        return;
      }
      const wanted = free.toSorted(preferredFirst(share)).slice(0, wants);
      await this.#acquire(wanted);
    }
  }

  async #acquire(wanted: Awaited<ReturnType<Partitions['list']>>): Promise<void> {
    const { partitions, owner, leaseMs, clock, metrics } = this.#options;
    const askedAtMs = clock.monotonicMs();
    const got = await partitions.acquire({ owner, partitions: wanted.map(({ partition }) => partition), leaseMs });
    for (const { partition, epoch } of got) this.#held.set(partition, { epoch, untilMs: askedAtMs + leaseMs });
    if (got.length === 0) return;
    const gotPartitions = got.map(({ partition }) => partition);
    const fromOthers = wanted.filter(
      ({ partition, owner: holder }) => holder !== null && holder !== owner && gotPartitions.includes(partition),
    );
    metrics.takeovers.inc(fromOthers.length);
    this.#options.onAcquired(gotPartitions);
  }

  /** An owner that lives renews its leases long before they end: one that is about to end is probably of one that died, so its end is not left to the next round. */
  #lookWhenOneEnds(standing: readonly { partition: number; remainingMs: number }[]): void {
    const { leaseMs, clock } = this.#options;
    const others = standing.filter(({ partition, remainingMs }) => !this.#held.has(partition) && remainingMs > 0);
    const soonestMs = Math.min(...others.map(({ remainingMs }) => remainingMs));
    if (soonestMs > leaseMs / roundsPerLease) return;
    this.#waiting.abort();
    const waiting = new AbortController();
    this.#waiting = waiting;
    void clock.sleep(soonestMs + 1, waiting.signal).then(() => {
      if (!waiting.signal.aborted) this.look();
    });
  }

  /** Those that are to go to others: nothing of them is handed out any more, and once what was handed out has had time to end they are given back. */
  #markLeaving(many: number, share: Share): void {
    const now = this.#options.clock.monotonicMs();
    const working = [...this.#held].map(([partition, held]) => ({ partition, held })).filter(isWorking);
    const leaving = working.toSorted(preferredFirst(share)).slice(-many);
    for (const { held } of leaving) held.leavingSinceMs = now;
    this.#options.onLost(leaving.map(({ partition }) => partition));
  }

  /** Those that were to leave and are still here, now that others are gone. */
  #keep(many: number, share: Share): void {
    const leaving = [...this.#held]
      .map(([partition, held]) => ({ partition, held }))
      .filter((entry) => !isWorking(entry));
    const kept = leaving.toSorted(preferredFirst(share)).slice(0, many);
    for (const { held } of kept) delete held.leavingSinceMs;
    if (kept.length > 0) this.#options.onAcquired(kept.map(({ partition }) => partition));
  }

  async #giveBack(): Promise<boolean> {
    const { partitions, owner, leaseMs, clock } = this.#options;
    const since = clock.monotonicMs() - leaseMs / roundsPerLease;
    const leaving = [...this.#held].filter(
      ([, { leavingSinceMs }]) => leavingSinceMs !== undefined && leavingSinceMs <= since,
    );
    if (leaving.length === 0) return false;
    const leases = leaving.map(([partition, { epoch }]) => ({ partition, epoch }));
    await partitions.release({ owner, leases });
    for (const { partition } of leases) this.#held.delete(partition);
    return true;
  }

  #forget(lost: readonly number[]): void {
    for (const partition of lost) this.#held.delete(partition);
    this.#options.onLost(lost);
  }
}

const roundsPerLease = 3;
/** Between two rounds, however many others come and go. */
const leastGapMs = 200;
/** In one round. */
const maxTakes = 3;

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
  /** This owner is new or gone, or has given partitions back: the others should look. They find out by themselves, later. */
  onChanged: () => void;
}

const isWorking = ({ held }: { held: Held }): boolean => held.leavingSinceMs === undefined;

/** What one of the living owners should have. All of them together have all partitions, each as many as any other or one more. */
interface Share {
  size: number;
  /** Each owner prefers its own residue class, which has just the size of its share. */
  prefers: (partition: number) => boolean;
}

/** @param alive all that live, sorted, `owner` among them */
function shareOf(alive: readonly string[], owner: string): Share {
  const index = alive.indexOf(owner);
  const size = Math.floor(partitionCount / alive.length) + Number(index < partitionCount % alive.length);
  return { size, prefers: (partition) => partition % alive.length === index };
}

function preferredFirst({ prefers }: Share) {
  return (a: { partition: number }, b: { partition: number }): number =>
    Number(prefers(b.partition)) - Number(prefers(a.partition));
}
