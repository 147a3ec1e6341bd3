import type { Limits } from '../../libs/delivery/limits/limits.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { Periodic } from '../../libs/runtime/periodic.ts';
import type { Acquired, Groups, Permit } from '../../libs/store/ports/groups.ts';
import { deliveryLimits } from './limits.ts';
import type { DeliveryMetrics } from './metrics.ts';

/** One permit in use. */
export interface HeldPermit {
  /** In effect when it was given. */
  readonly limits: Limits;
  /** Aborts when it is lost: another may have its place, or will soon. The connection must be cut. */
  readonly lost: AbortSignal;
  /** At the confirmed close; repeating it is harmless. */
  release(): void;
}

export type PermitAnswer = { permit: HeldPermit } | { short: NonNullable<Acquired['short']>['why'] };

export interface PermitsOptions {
  groups: Groups;
  holder: string;
  leaseMs: number;
  clock: Clock;
  log: Logger;
  metrics: DeliveryMetrics;
}

interface Held {
  permit: Permit;
  losing: AbortController;
  /** Before the request that gave or last renewed it (monotonic). */
  provenAtMs: number;
}

/**
 * The permits of this process (promise 6): each connection holds one from just before it is dialled until it is closed. They are renewed together every third of
 * their lease; those of which no renewal has succeeded by two thirds of it are lost.
 */
export class Permits {
  readonly #options: PermitsOptions;
  readonly #held = new Map<string, Held>();
  readonly #releases: Permit[] = [];
  readonly #renewals: Periodic;
  readonly #releasing: Periodic;
  readonly #checks: Periodic;

  constructor(options: PermitsOptions) {
    this.#options = options;
    const { clock, log, leaseMs } = options;
    const periodic = (name: string, intervalMs: number, task: () => Promise<void>): Periodic =>
      new Periodic({ name, intervalMs, clock, log, task });
    this.#renewals = periodic('permits of connections', Math.ceil(leaseMs / 3), () => this.#renew());
    this.#releasing = periodic('release of permits', releaseRetryMs, () => this.#release());
    // Not with the renewals: one that hangs must not keep lost permits from being noticed.
    this.#checks = periodic('age of permits', Math.ceil(leaseMs / 30), async () => this.#check());
  }

  get held(): number {
    return this.#held.size;
  }

  start(): void {
    for (const task of [this.#renewals, this.#releasing, this.#checks]) task.start();
  }

  /** Releases what was given back; resolves in bounded time. What can't be released ends with its lease. */
  async stop(): Promise<void> {
    await Promise.all([this.#renewals.stop(), this.#checks.stop(), this.#releasing.stop()]);
    const timeIsUp = new AbortController();
    const late = this.#options.clock.sleep(deliveryLimits.closingMs, timeIsUp.signal);
    const released = this.#release().catch((err: unknown) => {
      this.#options.log.warn({ err }, 'permits could not be given back: they end with their lease');
    });
    await Promise.race([released, late]);
    timeIsUp.abort();
  }

  /** One permit of the group. Rejects when the store has trouble. */
  async take(group: string, limits: Limits): Promise<PermitAnswer> {
    const { groups, holder, leaseMs, clock, metrics } = this.#options;
    const provenAtMs = clock.monotonicMs();
    const request = { group, holder, want: 1, leaseMs, limits, now: clock.nowMs() };
    const { permits, limits: inEffect, short } = await groups.acquire(request);
    const [permit] = permits;
    if (permit === undefined) {
      const why = short?.why ?? 'full';
      metrics.noPermit.inc({ why });
      return { short: why };
    }
    const losing = new AbortController();
    this.#held.set(permit.id, { permit, losing, provenAtMs });
    const release = (): void => {
      if (!this.#held.delete(permit.id)) return;
      this.#releases.push(permit);
      this.#releasing.kick();
    };
    return { permit: { limits: inEffect, lost: losing.signal, release } };
  }

  async #renew(): Promise<void> {
    const { groups, holder, leaseMs, clock, metrics } = this.#options;
    const fromMs = clock.monotonicMs();
    const asked = [...this.#held.values()];
    for (let at = 0; at < asked.length; at += permitsPerCall) {
      const some = asked.slice(at, at + permitsPerCall);
      try {
        const kept = await groups.renew({ holder, permits: some.map(({ permit }) => permit), leaseMs });
        const ids = new Set(kept.map(({ id }) => id));
        for (const held of some) {
          if (ids.has(held.permit.id)) held.provenAtMs = Math.max(held.provenAtMs, fromMs);
          else this.#lose(held);
        }
      } catch (error) {
        metrics.renewalsFailed.inc({ of: 'permits' });
        throw error;
      }
    }
  }

  #check(): void {
    const oldest = this.#options.clock.monotonicMs() - (this.#options.leaseMs * 2) / 3;
    for (const held of this.#held.values()) if (held.provenAtMs <= oldest) this.#lose(held);
  }

  /** It counts as held until the connection is closed, and is released then. */
  #lose(held: Held): void {
    if (held.losing.signal.aborted || !this.#held.has(held.permit.id)) return;
    this.#options.metrics.permitsLost.inc();
    held.losing.abort(new PermitLost(held.permit.group));
  }

  async #release(): Promise<void> {
    while (this.#releases.length > 0) {
      const some = this.#releases.slice(0, permitsPerCall);
      await this.#options.groups.release(some);
      this.#releases.splice(0, some.length);
    }
  }
}

class PermitLost extends Error {
  override readonly name = 'PermitLost';

  constructor(group: string) {
    super(`the permit of a connection to ${group} was lost`);
  }
}

const permitsPerCall = 500;
const releaseRetryMs = 5_000;
