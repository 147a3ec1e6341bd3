import type { Claim, DeliveryRow } from '../../../delivery/row.ts';
import { transition } from '../../../delivery/state.ts';
import type { PartitionLease } from '../../ports/partitions.ts';
import type { Connection } from '../engine/connection.ts';
import { kindCodes } from './delivery-codes.ts';
import { toRow } from './delivery-columns.ts';
import { apply, columnsOf, holds, move, standingOf, toStanding } from './delivery-rows.ts';
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
    const columns = columnsOf(connection, id);
    const epoch = columns === undefined ? undefined : epochs.get(columns.partition);
    if (columns === undefined || epoch === undefined) continue;
    const standing = toStanding(columns);
    const claimed: Claim = { owner, epoch, token };
    // Held under this very claim already: the reply of an earlier call was lost.
    if (holds(standing, claimed)) rows.push(toRow(columns));
    const next = standing.dueAt <= now ? transition(standing, { kind: 'claim' }) : undefined;
    if (next === undefined) continue;
    move(connection, standing, next, { at: now, claim: claimed, leaseUntil });
    rows.push({ ...toRow(columns), state: next.state, claim: claimed, updatedAt: now });
  }
  return rows;
}

function renew(
  connection: Connection,
  { claim: held, ids, leaseMs }: { claim: Claim; ids: readonly string[]; leaseMs: number },
): string[] {
  const until = storeNowMs() + leaseMs;
  return ids.filter((id) => {
    const standing = standingOf(connection, id);
    if (standing === undefined || !holds(standing, held)) return false;
    connection.run('UPDATE deliveries SET lease_until = ? WHERE id = ?', until, standing.key);
    return true;
  });
}

export const endedLeasesSql = `SELECT d.message_id || '/' || (d.id & 4095) AS id, d.partition FROM deliveries AS d INDEXED BY deliveries_leased
  LEFT JOIN partitions AS p ON p.partition = d.partition AND p.owner IS NOT NULL AND p.lease_until > ?1
  WHERE d.state = 1 AND (d.lease_until <= ?1 OR (p.owner <> d.claim_owner AND d.kind <> ${kindCodes.remote}))`;

function expireLeases(
  connection: Connection,
  { partitions, now, limit }: { partitions: readonly number[]; now: number; limit: number },
): DeliveryRow[] {
  const wanted = new Set(partitions);
  const ended = connection.all<{ id: string; partition: number }>(endedLeasesSql, storeNowMs());
  return ended
    .filter(({ partition }) => wanted.has(partition))
    .slice(0, limit)
    .flatMap(({ id }) => endLease(connection, id, now) ?? []);
}

export const leasedSql = `SELECT message_id || '/' || (id & 4095) AS id FROM deliveries INDEXED BY deliveries_leased
  WHERE state = 1 LIMIT ?`;

/** At the start of an embedded store: the lock on the data directory proves that nobody else holds a lease. Call again while it answers `limit`. */
function voidLeases(connection: Connection, { now, limit }: { now: number; limit: number }): number {
  connection.run('UPDATE partitions SET owner = NULL, lease_until = 0 WHERE owner IS NOT NULL');
  connection.run('DELETE FROM owners');
  const leased = connection.all<{ id: string }>(leasedSql, limit);
  for (const { id } of leased) endLease(connection, id, now);
  return leased.length;
}

/** The claim is forgotten, so that whatever its holder still brings is stale. */
const endLease = (connection: Connection, id: string, now: number): DeliveryRow | undefined =>
  apply(connection, id, { kind: 'leaseEnded' }, { at: now, claim: null });
