import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { TurnOrder } from './turn-order.ts';

/** What is kept of a due row. */
export type RemoteRow = Pick<
  DeliveryRow,
  'id' | 'messageId' | 'destination' | 'partition' | 'priority' | 'rank' | 'attempts'
>;

/** Due rows that go the same way: of one destination, and where senders have routes of their own, of such senders. */
export interface Lane {
  readonly key: string;
  readonly destination: string;
  readonly partition: number;
  /** Of its first row, for the route. */
  readonly sender: string;
  /** In the order in which they go. */
  rows: RemoteRow[];
  /** The store has more of them. */
  more: boolean;
  /** Waits for something (its route, a place in its group, tokens) and takes no part in the turns. */
  parked: boolean;
}

export interface LanesOptions {
  caps: { total: number; perLane: number };
  keyOf: (row: Pick<DeliveryRow, 'destination' | 'sender'>) => string;
  /** False: rows of this lane are left in the store for now. */
  isOpen?: (key: string) => boolean;
  /** A lane takes part in the turns from now on: its route may be looked up. */
  onNew?: (lane: Lane) => void;
}

/**
 * The window of rows for outside: bounded in all and for each lane. With many lanes each may have fewer, so that no destination can fill it, and a new
 * one always has a place. Only a view of the store: what is lost from it comes with a later read.
 */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #lanes = new Map<string, Lane>();
  /** The lane of each row. */
  readonly #ids = new Map<string, string>();
  readonly #turns = new TurnOrder<Lane>();

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#ids.size;
  }

  get lanes(): number {
    return this.#lanes.size;
  }

  /** How many lanes could go now, as far as is known. */
  get inTurn(): number {
    return this.#turns.size;
  }

  all(): Iterable<Lane> {
    return this.#lanes.values();
  }

  get(key: string): Lane | undefined {
    return this.#lanes.get(key);
  }

  /** Rows that one lane may have now. */
  get laneCap(): number {
    const { total, perLane } = this.#options.caps;
    return Math.max(1, Math.min(perLane, Math.floor(total / Math.max(1, this.#lanes.size))));
  }

  /** Rows that would fit when long lanes give theirs up. */
  get room(): number {
    const { total } = this.#options.caps;
    return Math.max(0, total - Math.min(this.size, this.#lanes.size * this.laneCap));
  }

  /** Rows of a partition don't keep others of it from being read: `full` does that, lane by lane. */
  sizeOf(): number {
    return 0;
  }

  /** Lanes that need no rows now. */
  *full(): Generator<Lane> {
    const enough = Math.max(1, Math.floor(this.laneCap / 2));
    for (const lane of this.#lanes.values()) if (lane.rows.length >= enough) yield lane;
  }

  /** True when the lane should be read again. */
  isLow(lane: Lane): boolean {
    return lane.more && lane.rows.length < Math.max(1, Math.floor(this.laneCap / 2));
  }

  /** See LoadTarget. */
  merge(
    rows: Iterable<DeliveryRow>,
    cut: ReadonlyMap<string, number> = new Map(),
  ): { added: number; leftOut: ReadonlySet<number> } {
    const before = this.size;
    const leftOut = new Set<number>();
    const grown = new Set<Lane>();
    for (const row of rows) {
      const key = this.#options.keyOf(row);
      const known = this.#ids.get(row.id);
      // An operator has sent it elsewhere since it was read.
      const left = known === undefined || known === key ? undefined : this.#forget(row.id, known);
      if (left !== undefined) grown.add(left);
      if (known === key || this.#options.isOpen?.(key) === false) continue;
      const lane = this.#laneOf(row);
      if (lane.rows.length >= this.laneCap) {
        lane.more = true;
        continue;
      }
      if (this.size >= this.#options.caps.total) this.#shorten();
      if (this.size >= this.#options.caps.total) {
        leftOut.add(row.partition);
        continue;
      }
      const { id, messageId, destination, partition, priority, rank, attempts } = row;
      lane.rows.push({ id, messageId, destination, partition, priority, rank, attempts });
      this.#ids.set(id, lane.key);
      grown.add(lane);
    }
    const seen = this.#markCut(cut);
    for (const [destination, partition] of cut) if (!seen.has(destination)) leftOut.add(partition);
    for (const lane of grown) {
      lane.rows.sort(inOrder);
      this.#placeByHead(lane);
    }
    this.#dropEmpty();
    return { added: this.size - before, leftOut };
  }

  /** The lane whose turn it is; it stays in its place. */
  next(): Lane | undefined {
    return this.#turns.next();
  }

  /** The next ones, for what is asked of many at once. */
  upcoming(many: number): Lane[] {
    return this.#turns.upcoming(many);
  }

  park(lane: Lane): void {
    lane.parked = true;
    this.#turns.remove(lane);
  }

  unpark(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined || !lane.parked) return;
    lane.parked = false;
    this.#placeByHead(lane);
  }

  /**
   * Takes up to `many` rows out, in their order; rows of one message go together, for one transaction with several recipients. The lane goes to the end
   * of the line.
   */
  take(lane: Lane, many: number): RemoteRow[] {
    const taken = new Set<RemoteRow>();
    const byMessage = Map.groupBy(lane.rows, ({ messageId }) => messageId);
    for (const row of lane.rows) {
      if (taken.size >= many) break;
      if (taken.has(row)) continue;
      for (const sibling of byMessage.get(row.messageId) ?? []) if (taken.size < many) taken.add(sibling);
    }
    lane.rows = lane.rows.filter((row) => !taken.has(row));
    for (const { id } of taken) this.#ids.delete(id);
    this.#turns.remove(lane);
    lane.parked = false;
    if (lane.rows.length === 0) this.#lanes.delete(lane.key);
    else this.#placeByHead(lane);
    return [...taken];
  }

  /** Forgets its rows: it can't go for some time. */
  drop(lane: Lane): void {
    for (const { id } of lane.rows) this.#ids.delete(id);
    lane.rows = [];
    this.#turns.remove(lane);
    this.#lanes.delete(lane.key);
  }

  dropPartitions(partitions: Iterable<number>): void {
    const dropped = new Set(partitions);
    for (const lane of this.#lanes.values()) if (dropped.has(lane.partition)) this.drop(lane);
  }

  #forget(id: string, key: string): Lane | undefined {
    this.#ids.delete(id);
    const lane = this.#lanes.get(key);
    if (lane !== undefined) lane.rows = lane.rows.filter((row) => row.id !== id);
    return lane;
  }

  /** Their lanes are read again when they run low. Returns the destinations that have rows here. */
  #markCut(cut: ReadonlyMap<string, number>): ReadonlySet<string> {
    const seen = new Set<string>();
    if (cut.size === 0) return seen;
    for (const lane of this.#lanes.values()) {
      if (!cut.has(lane.destination) || lane.rows.length === 0) continue;
      lane.more = true;
      seen.add(lane.destination);
    }
    return seen;
  }

  #laneOf(row: DeliveryRow): Lane {
    const key = this.#options.keyOf(row);
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const { destination, partition, sender } = row;
    const lane: Lane = { key, destination, partition, sender, rows: [], more: false, parked: false };
    this.#lanes.set(key, lane);
    return lane;
  }

  #placeByHead(lane: Lane): void {
    const [head] = lane.rows;
    if (head === undefined || lane.parked) return;
    const isNew = this.#turns.place(lane, { priority: head.priority, isFirstTry: head.attempts === 0 });
    if (isNew) this.#options.onNew?.(lane);
  }

  /** The rows past the share of each lane go back to the store. */
  #shorten(): void {
    const most = this.laneCap;
    for (const lane of this.#lanes.values()) {
      if (lane.rows.length <= most) continue;
      for (const { id } of lane.rows.splice(most)) this.#ids.delete(id);
      lane.more = true;
    }
  }

  #dropEmpty(): void {
    for (const lane of this.#lanes.values()) if (lane.rows.length === 0) this.drop(lane);
  }
}

function inOrder(a: RemoteRow, b: RemoteRow): number {
  return a.priority - b.priority || a.rank - b.rank || (a.id < b.id ? -1 : 1);
}
