import type { SteerAction } from '../../delivery/wish.ts';

/**
 * What operators did with the queue. A record is there, durable, before the first row changes; counts follow, so a crash leaves at worst a record
 * whose counts are behind and that has not ended. Rows name it in their traces. What an implementer must keep: records are kept 90 days.
 */
export interface QueueAudit {
  /** Repeating it with the same id is harmless. */
  begin(record: NewActionRecord): Promise<void>;
  /** Adds to the counts; `endedAt`: nothing more will come. */
  count(id: string, done: { matched: number; changed: number; endedAt?: number }): Promise<void>;
  get(id: string): Promise<ActionRecord | undefined>;
  /** Newest first. `cursor` is the last id of the page before. */
  list(page: { limit: number; cursor?: string }): Promise<readonly ActionRecord[]>;
}

export interface NewActionRecord {
  /** UUIDv7, of the time when it began. */
  id: string;
  at: number;
  /** The address of who asked. */
  actor: string;
  action: SteerAction;
  /** What the action takes: a route, a recipient, a text; for people. */
  details?: string;
  /** One of the two: a single delivery, or those that matched. */
  deliveryId?: string;
  filter?: Readonly<Record<string, string | number>>;
}

export interface ActionRecord extends NewActionRecord {
  matched: number;
  /** Done, or noted on a row whose attempt was under way. */
  changed: number;
  endedAt?: number;
}

export const auditKeepMs = 90 * 24 * 3_600_000;

/** Ids of records that began before `at` are below this. */
export function auditIdAt(at: number): string {
  const hex = Math.max(0, Math.floor(at)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
