import type { Claim, DeliveryRow } from '../../../delivery/row.ts';
import { transition } from '../../../delivery/state.ts';
import type { PartitionLease } from '../../ports/partitions.ts';
import type { Connection } from '../engine/connection.ts';
import { apply, holds, keyOf, move, rowOf, standingOf } from './delivery-rows.ts';
import { holdsPartition } from './partitions.ts';
import { storeNowMs } from './store-clock.ts';

export const writes = {
  'deliveries.claim': claim,
  'deliveries.renew': renew,
  'deliveries.expireLeases': expireLeases,
  'deliveries.voidLeases': voidLeases,
};

interface ClaimRequest {
  owner: string;
  leases: readonly PartitionLease[];
  ids: readonly string[];
  token: string;
  leaseMs: number;
  now: number;
}

/** The writer runs one operation after the other: nobody takes a partition over between this check and the commit. */
function claim(connection: Connection, request: ClaimRequest): DeliveryRow[] {
  const { owner, token, now } = request;
  const epochs = new Map<number, number>();
  for (const lease of request.leases) {
    if (holdsPartition(connection, owner, lease)) epochs.set(lease.partition, lease.epoch);
  }
  const leaseUntil = storeNowMs() + request.leaseMs;
  const rows: DeliveryRow[] = [];
  for (const id of request.ids) {
    const key = keyOf(connection, id);
    const standing = key === undefined ? undefined : standingOf(connection, key);
    const epoch = standing === undefined ? undefined : epochs.get(standing.partition);
    if (key === undefined || standing === undefined || epoch === undefined) continue;
    const claimed: Claim = { owner, epoch, token };
    if (!holds(standing, claimed)) {
      const next = standing.dueAt <= now ? transition(standing, { kind: 'claim' }) : undefined;
      if (next === undefined) continue;
      move(connection, standing, next, { at: now, claim: claimed, leaseUntil });
    }
    // Held under this very claim already: the reply of an earlier call was lost.
    const row = rowOf(connection, key);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

function renew(
  connection: Connection,
  { claim: held, ids, leaseMs }: { claim: Claim; ids: readonly string[]; leaseMs: number },
): string[] {
  const until = storeNowMs() + leaseMs;
  return ids.filter((id) => {
    const key = keyOf(connection, id);
    const standing = key === undefined ? undefined : standingOf(connection, key);
    if (key === undefined || standing === undefined || !holds(standing, held)) return false;
    connection.run('UPDATE deliveries SET lease_until = ? WHERE id = ?', until, key);
    return true;
  });
}

export const endedLeasesSql = `SELECT d.id, d.partition FROM deliveries AS d INDEXED BY deliveries_leased
  LEFT JOIN partitions AS p ON p.partition = d.partition AND p.owner IS NOT NULL AND p.lease_until > ?1
  WHERE d.state = 1 AND (d.lease_until <= ?1 OR p.owner <> d.claim_owner)`;

function expireLeases(
  connection: Connection,
  { partitions, now, limit }: { partitions: readonly number[]; now: number; limit: number },
): DeliveryRow[] {
  const wanted = new Set(partitions);
  const ended = connection.all<{ id: number; partition: number }>(endedLeasesSql, storeNowMs());
  return ended
    .filter(({ partition }) => wanted.has(partition))
    .slice(0, limit)
    .flatMap(({ id }) => endLease(connection, id, now) ?? []);
}

/** At the start of an embedded store: the lock on the data directory proves that nobody else holds a lease. Call again while it answers `limit`. */
function voidLeases(connection: Connection, { now, limit }: { now: number; limit: number }): number {
  connection.run('UPDATE partitions SET owner = NULL, lease_until = 0 WHERE owner IS NOT NULL');
  connection.run('DELETE FROM owners');
  const leased = connection.all<{ id: number }>('SELECT id FROM deliveries WHERE state = 1 LIMIT ?', limit);
  for (const { id } of leased) endLease(connection, id, now);
  return leased.length;
}

/** The claim is forgotten, so that whatever its holder still brings is stale. */
const endLease = (connection: Connection, key: number, now: number): DeliveryRow | undefined =>
  apply(connection, key, { kind: 'leaseEnded' }, { at: now, claim: null });
