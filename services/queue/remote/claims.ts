import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Deliveries, Outcome } from '../../../libs/store/ports/deliveries.ts';
import type { Loader } from '../loader.ts';
import type { Ownership } from '../ownership.ts';
import type { RemoteRow } from './lanes.ts';

/** Claims of rows that were taken out of the window. */
export class RemoteClaims {
  readonly #options: RemoteClaimsOptions;
  readonly #underway = new Set<string>();

  constructor(options: RemoteClaimsOptions) {
    this.#options = options;
  }

  /** Ids whose claim is under way. */
  ids(): Iterable<string> {
    return this.#underway;
  }

  /** Those that it got, in their order. What it didn't get is looked for in the store again. */
  async claim(rows: readonly RemoteRow[], token: string): Promise<DeliveryRow[]> {
    const { deliveries, ownership, loader, clock, owner, leaseMs } = this.#options;
    const ids = rows.map(({ id }) => id);
    const partitions = new Set(rows.map(({ partition }) => partition));
    for (const id of ids) this.#underway.add(id);
    loader().taken(ids);
    try {
      const leases = ownership.leasesOf(partitions);
      const claimed = await deliveries.claim({ owner, leases, ids, token, leaseMs, now: clock.nowMs() });
      if (claimed.length < ids.length) loader().mark(partitions);
      const destinations = new Map(rows.map(({ id, destination }) => [id, destination]));
      // An operator has given it another recipient since it was read: it must not go with this batch.
      const moved = claimed.filter(({ id, destination }) => destinations.get(id) !== destination);
      if (moved.length > 0) await this.handBack(moved);
      const byId = new Map(claimed.map((row) => [row.id, row]));
      for (const { id } of moved) byId.delete(id);
      return ids.flatMap((id) => byId.get(id) ?? []);
    } catch (error) {
      // Whether they are leased now is not known here: the store says so at the next read, or when that lease has ended.
      loader().mark(partitions);
      throw error;
    } finally {
      for (const id of ids) this.#underway.delete(id);
    }
  }

  /** Who asked has gone while the claim was made: its rows needn't wait for the end of their lease. */
  async handBack(rows: readonly DeliveryRow[]): Promise<void> {
    const at = this.#options.clock.nowMs();
    const returned = rows.flatMap(({ id, claim }): Outcome[] =>
      claim === undefined ? [] : [{ id, claim, at, result: { kind: 'returned' } }],
    );
    await this.#options.deliveries.record(returned);
    this.#options.loader().mark(new Set(rows.map(({ partition }) => partition)));
  }
}

export interface RemoteClaimsOptions {
  owner: string;
  leaseMs: number;
  deliveries: Deliveries;
  ownership: Pick<Ownership, 'leasesOf'>;
  /** The two know each other, so this one is asked for late. */
  loader: () => Loader;
  clock: Clock;
}
