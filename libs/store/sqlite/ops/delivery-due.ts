import { isLocalDestination } from '../../../delivery/partition.ts';
import type { DeliveryRow } from '../../../delivery/row.ts';
import { partitionCount } from '../../../delivery/row.ts';
import type { Connection } from '../engine/connection.ts';
import { type RowColumns, rowColumns, toRow } from './delivery-columns.ts';

export const writes = { 'deliveries.ripen': ripen };

export const reads = { 'deliveries.due': due, 'deliveries.nextDueAt': nextDueAt };

export interface DueQuery {
  partitions: readonly number[];
  now: number;
  perDestination: number;
  limit: number;
  destinations?: 'local' | 'remote';
  except?: ReadonlySet<string>;
  /** Answers what is on lane 1, although more has fallen due. */
  anyway: boolean;
}

export const nextDestinationSql = `SELECT partition, destination FROM deliveries
  WHERE lane = 1 AND (partition, destination) > (?, ?) ORDER BY partition, destination LIMIT 1`;
export const dueSql = `SELECT ${rowColumns} FROM deliveries
  WHERE lane = 1 AND partition = ? AND destination = ? AND +due_at <= ? ORDER BY priority, rank LIMIT ?`;
export const ripeSql = 'SELECT id FROM deliveries WHERE lane = 0 AND due_at <= ? ORDER BY due_at LIMIT ?';

/** `unripe`: rows have fallen due that are still on lane 0; `ripen`, then ask again. */
function due(connection: Connection, query: DueQuery): { rows: DeliveryRow[]; unripe: boolean } {
  const unripe = !query.anyway && connection.get(ripeSql, query.now, 1) !== undefined;
  if (unripe) return { rows: [], unripe };
  const rows: DeliveryRow[] = [];
  for (const { partition, destination } of readyDestinations(connection, query)) {
    const many = Math.min(query.perDestination, query.limit - rows.length);
    if (many <= 0) break;
    const found = connection.all<RowColumns>(dueSql, partition, destination, query.now, many);
    for (const columns of found) rows.push(toRow(columns));
  }
  return { rows, unripe };
}

/**
 * Destinations with ready rows, one step of the index each. It begins at a random partition, so that with more work than `limit` none is left out
 * for ever.
 */
function* readyDestinations(
  connection: Connection,
  { partitions, destinations, except }: DueQuery,
): Generator<{ partition: number; destination: string }> {
  const { first, pastOthers } = bounds[destinations ?? 'all'];
  const wanted = new Set(partitions);
  const start = Math.floor(Math.random() * partitionCount);
  for (const [from, to] of [
    [start, partitionCount],
    [0, start],
  ] as const) {
    let at = { partition: from, destination: first };
    while (true) {
      const next = connection.get<typeof at>(nextDestinationSql, at.partition, at.destination);
      if (next === undefined || next.partition >= to) break;
      const isLocal = isLocalDestination(next.destination);
      if (!wanted.has(next.partition)) at = { partition: next.partition + 1, destination: first };
      else if (destinations !== undefined && isLocal !== (destinations === 'local')) at = pastOthers(next);
      else {
        if (except?.has(next.destination) !== true) yield next;
        at = next;
      }
    }
  }
}

interface Place {
  partition: number;
  destination: string;
}

/**
 * Where the destinations that are asked for begin in a partition, and where to go on from one of the others: the local ones (`local:0`…) stand side by side
 * in the index, so that all others cost one step in each partition.
 */
const bounds: Record<'local' | 'remote' | 'all', { first: string; pastOthers: (at: Place) => Place }> = {
  local: {
    first: 'local:',
    pastOthers: ({ partition, destination }) =>
      destination < 'local:'
        ? { partition, destination: 'local:' }
        : { partition: partition + 1, destination: 'local:' },
  },
  remote: { first: '', pastOthers: ({ partition }) => ({ partition, destination: 'local;' }) },
  all: { first: '', pastOthers: (at) => at },
};

/** Moves rows that have fallen due to lane 1; returns how many. */
function ripen(connection: Connection, { now, limit }: { now: number; limit: number }): number {
  return connection.run(`UPDATE deliveries SET lane = 1 WHERE id IN (${ripeSql})`, now, limit);
}

export const nextDueSql = `SELECT due_at AS dueAt, partition FROM deliveries
  WHERE lane = ? AND due_at > ? ORDER BY due_at`;

/** Rows of other partitions are passed over one by one; an embedded owner has all partitions. */
function nextDueAt(
  connection: Connection,
  { partitions, now }: { partitions: readonly number[]; now: number },
): number | undefined {
  const wanted = new Set(partitions);
  let first: number | undefined;
  for (const lane of [0, 1]) {
    for (const { dueAt, partition } of connection.each<{ dueAt: number; partition: number }>(nextDueSql, lane, now)) {
      if (!wanted.has(partition)) continue;
      if (first === undefined || dueAt < first) first = dueAt;
      break;
    }
  }
  return first;
}
