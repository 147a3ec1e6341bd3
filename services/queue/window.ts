import type { DeliveryRow } from '../../libs/delivery/row.ts';

/** What the window keeps of a due row; all else comes with the claim. */
export type DueRow = Pick<DeliveryRow, 'id' | 'destination' | 'partition' | 'priority' | 'rank'>;

/** Rows of one destination, in the order in which they go. */
interface Lane {
  destination: string;
  partition: number;
  rows: DueRow[];
  /** Number of the turn in which it was last served: who waits longest goes first. */
  servedAt: number;
}

/**
 * The due rows that an owner knows of, bounded in all and for each destination, so that a blocked destination can't fill it. It is only a
 * view of the store: a row that is lost from it comes with the next load, and one that is wrong in it fails at its claim.
 */
export class Window {
  readonly #caps: WindowCaps;
  readonly #lanes = new Map<string, Lane>();
  readonly #ids = new Set<string>();
  readonly #byPartition = new Map<number, number>();
  #turn = 0;

  constructor(caps: WindowCaps) {
    this.#caps = caps;
  }

  get size(): number {
    return this.#ids.size;
  }

  /** Rows that still fit. */
  get room(): number {
    return this.#caps.total - this.#ids.size;
  }

  get laneCap(): number {
    return this.#caps.perDestination;
  }

  get destinations(): number {
    return this.#lanes.size;
  }

  /** Those that have rows here. */
  partitions(): number[] {
    return [...this.#byPartition.keys()];
  }

  sizeOf(partition: number): number {
    return this.#byPartition.get(partition) ?? 0;
  }

  /**
   * Adds rows that aren't there yet, as far as the caps allow. Returns how many were new, and the partitions of which there may be more: of those that didn't fit,
   * and of the destinations in `cut`.
   */
  merge(
    rows: Iterable<DueRow>,
    cut: ReadonlyMap<string, number> = new Map(),
  ): { added: number; leftOut: ReadonlySet<number> } {
    const before = this.#ids.size;
    const leftOut = new Set(cut.values());
    const grown = new Set<Lane>();
    for (const row of rows) {
      if (this.#ids.has(row.id)) continue;
      const lane = this.#laneOf(row);
      if (this.room <= 0 || lane.rows.length >= this.#caps.perDestination) {
        leftOut.add(row.partition);
        continue;
      }
      const { id, destination, partition, priority, rank } = row;
      lane.rows.push({ id, destination, partition, priority, rank });
      this.#ids.add(id);
      this.#count(partition, 1);
      grown.add(lane);
    }
    for (const lane of grown) lane.rows.sort(inOrder);
    this.#dropEmpty();
    return { added: this.#ids.size - before, leftOut };
  }

  /**
   * Takes up to `capacity` rows out: the lowest priority first, and within it one row of each destination in turn, beginning with the one that was
   * served longest ago. Only of partitions that `allowed` says.
   */
  take(capacity: number, allowed: (partition: number) => boolean): DueRow[] {
    const taken: DueRow[] = [];
    const lanes = [...this.#lanes.values()].filter((lane) => allowed(lane.partition));
    lanes.sort((a, b) => a.servedAt - b.servedAt);
    while (taken.length < capacity) {
      const priority = Math.min(...lanes.map((lane) => lane.rows[0]?.priority ?? Number.POSITIVE_INFINITY));
      if (priority === Number.POSITIVE_INFINITY) break;
      this.#takeRound(lanes, priority, capacity, taken);
    }
    this.#dropEmpty();
    return taken;
  }

  /** Forgets the rows of partitions that another owner may have now. */
  dropPartitions(partitions: Iterable<number>): void {
    const dropped = new Set(partitions);
    for (const lane of this.#lanes.values()) {
      if (!dropped.has(lane.partition)) continue;
      for (const row of lane.rows) this.#forget(row);
      lane.rows = [];
    }
    this.#dropEmpty();
  }

  /** One row of each lane whose next row has this priority. */
  #takeRound(lanes: readonly Lane[], priority: number, capacity: number, taken: DueRow[]): void {
    for (const lane of lanes) {
      if (taken.length >= capacity) return;
      const [head] = lane.rows;
      if (head === undefined || head.priority !== priority) continue;
      lane.rows.shift();
      lane.servedAt = ++this.#turn;
      this.#forget(head);
      taken.push(head);
    }
  }

  #laneOf({ destination, partition }: DueRow): Lane {
    let lane = this.#lanes.get(destination);
    if (lane === undefined) {
      lane = { destination, partition, rows: [], servedAt: this.#turn };
      this.#lanes.set(destination, lane);
    }
    return lane;
  }

  #forget(row: DueRow): void {
    this.#ids.delete(row.id);
    this.#count(row.partition, -1);
  }

  #count(partition: number, change: number): void {
    const count = this.sizeOf(partition) + change;
    if (count > 0) this.#byPartition.set(partition, count);
    else this.#byPartition.delete(partition);
  }

  #dropEmpty(): void {
    for (const lane of this.#lanes.values()) if (lane.rows.length === 0) this.#lanes.delete(lane.destination);
  }
}

export interface WindowCaps {
  /** Rows in all. */
  total: number;
  perDestination: number;
}

function inOrder(a: DueRow, b: DueRow): number {
  return a.priority - b.priority || a.rank - b.rank || (a.id < b.id ? -1 : 1);
}
