import type { DeliveryRow } from '../../../delivery/row.ts';
import type { DeliveryState } from '../../../delivery/state.ts';
import type { AttemptRow } from '../../ports/deliveries.ts';
import type { Connection } from '../engine/connection.ts';
import { stateOf, targetsPerMessage } from './delivery-codes.ts';
import { keyOf, rowOf, stateCounter } from './delivery-rows.ts';

export const writes = { 'deliveries.purge': purge };

export const reads = { 'deliveries.get': get, 'deliveries.counts': counts };

function get(connection: Connection, { id }: { id: string }): { row: DeliveryRow; attempts: AttemptRow[] } | undefined {
  const key = keyOf(connection, id);
  const row = rowOf(connection, id);
  if (key === undefined || row === undefined) return undefined;
  const attempts = connection.all<AttemptRow & { extra: string | null }>(
    'SELECT at, event, reply, extra FROM attempts WHERE delivery = ? ORDER BY k',
    key,
  );
  return { row, attempts: attempts.map(toAttempt) };
}

function toAttempt({ extra, ...attempt }: AttemptRow & { extra: string | null }): AttemptRow {
  if (extra === null) return attempt;
  // Written by `trace`: the remaining fields of an attempt.
  const more: Pick<AttemptRow, 'host' | 'address' | 'tls'> = JSON.parse(extra);
  return { ...attempt, ...more };
}

export interface Counts {
  byState: Record<DeliveryState, number>;
  destinations: number;
  oldestDueAt?: number;
}

export const nextQueuedDestinationSql = `SELECT partition, destination FROM deliveries
  WHERE lane = ? AND (partition, destination) > (?, ?) ORDER BY partition, destination LIMIT 1`;
export const oldestDueSql = 'SELECT due_at AS dueAt FROM deliveries WHERE lane = ? ORDER BY due_at LIMIT 1';

function counts(connection: Connection): Counts {
  const kept = new Map(
    connection
      .all<{ name: string; value: number }>(
        `SELECT name, value FROM counters WHERE name >= 'deliveries.' AND name < 'deliveries/'`,
      )
      .map(({ name, value }) => [name, value]),
  );
  const of = (state: DeliveryState): number => kept.get(stateCounter(state)) ?? 0;
  const byState: Record<DeliveryState, number> = {
    queued: of('queued'),
    leased: of('leased'),
    deferred: of('deferred'),
    held: of('held'),
    failed: of('failed'),
    reporting: of('reporting'),
    delivered: of('delivered'),
    bounced: of('bounced'),
    cancelled: of('cancelled'),
  };
  const destinations = new Set<string>();
  const dueTimes: number[] = [];
  for (const lane of [0, 1]) {
    let at: { partition: number; destination: string } | undefined = { partition: 0, destination: '' };
    while (at !== undefined) {
      at = connection.get<typeof at>(nextQueuedDestinationSql, lane, at.partition, at.destination);
      if (at !== undefined) destinations.add(at.destination);
    }
    const oldest = connection.get<{ dueAt: number }>(oldestDueSql, lane);
    if (oldest !== undefined) dueTimes.push(oldest.dueAt);
  }
  const answer = { byState, destinations: destinations.size };
  return dueTimes.length === 0 ? answer : { ...answer, oldestDueAt: Math.min(...dueTimes) };
}

export const doneSql = `SELECT id, state FROM deliveries WHERE state >= 6 AND updated_at < ? ORDER BY updated_at LIMIT ?`;

function purge(connection: Connection, { before, limit }: { before: number; limit: number }): number {
  const done = connection.all<{ id: number; state: number }>(doneSql, before, limit);
  for (const { id, state } of done) {
    connection.run('DELETE FROM attempts WHERE delivery = ?', id);
    connection.run('DELETE FROM deliveries WHERE id = ?', id);
    connection.count(stateCounter(stateOf(state)), -1);
  }
  for (const seq of new Set(done.map(({ id }) => Math.floor(id / targetsPerMessage)))) forgetAccept(connection, seq);
  return done.length;
}

/** The accept row goes when neither a body nor a delivery names it. */
export function forgetAccept(connection: Connection, seq: number): void {
  connection.run(
    `DELETE FROM accepts WHERE seq = ?1 AND body_gone = 1
      AND NOT EXISTS (SELECT 1 FROM deliveries WHERE id BETWEEN ?1 * 4096 AND ?1 * 4096 + 4095)`,
    seq,
  );
}
