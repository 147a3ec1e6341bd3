import type { PartitionLease } from '../../ports/partitions.ts';
import type { Connection } from '../engine/connection.ts';
import { storeNowMs } from './store-clock.ts';

export const writes = {
  'partitions.acquire': acquire,
  'partitions.renew': renew,
  'partitions.release': (connection: Connection, args: { owner: string; leases: readonly PartitionLease[] }): void => {
    for (const lease of args.leases) {
      connection.run(
        'UPDATE partitions SET owner = NULL, lease_until = 0 WHERE partition = ? AND owner = ? AND epoch = ?',
        lease.partition,
        args.owner,
        lease.epoch,
      );
    }
  },
  'partitions.announce': announce,
};

export const reads = {
  'partitions.list': (connection: Connection) => {
    const now = storeNowMs();
    return connection
      .all<{ partition: number; owner: string | null; epoch: number; until: number }>(
        'SELECT partition, owner, epoch, lease_until AS until FROM partitions ORDER BY partition',
      )
      .map(({ partition, owner, epoch, until }) => ({
        partition,
        owner,
        epoch,
        remainingMs: Math.max(0, until - now),
      }));
  },
};

/** The current holder of a partition by the store's clock: does this lease hold? */
export function holdsPartition(connection: Connection, owner: string, lease: PartitionLease): boolean {
  const row = connection.get(
    'SELECT 1 FROM partitions WHERE partition = ? AND owner = ? AND epoch = ? AND lease_until > ?',
    lease.partition,
    owner,
    lease.epoch,
    storeNowMs(),
  );
  return row !== undefined;
}

function acquire(
  connection: Connection,
  { owner, partitions, leaseMs }: { owner: string; partitions: readonly number[]; leaseMs: number },
): PartitionLease[] {
  const now = storeNowMs();
  const got: PartitionLease[] = [];
  for (const partition of new Set(partitions)) {
    const row = connection.get<{ epoch: number }>(
      `UPDATE partitions SET owner = ?, epoch = epoch + 1, lease_until = ?
        WHERE partition = ? AND (owner IS NULL OR lease_until <= ?) RETURNING epoch`,
      owner,
      now + leaseMs,
      partition,
      now,
    );
    if (row !== undefined) got.push({ partition, epoch: row.epoch });
  }
  return got;
}

/** A lease that has ended but that nobody has taken is renewed too: the epoch says that nobody was between. */
function renew(
  connection: Connection,
  { owner, leases, leaseMs }: { owner: string; leases: readonly PartitionLease[]; leaseMs: number },
): PartitionLease[] {
  const until = storeNowMs() + leaseMs;
  return leases
    .filter(
      ({ partition, epoch }) =>
        connection.run(
          'UPDATE partitions SET lease_until = ? WHERE partition = ? AND owner = ? AND epoch = ?',
          until,
          partition,
          owner,
          epoch,
        ) > 0,
    )
    .map(({ partition, epoch }) => ({ partition, epoch }));
}

function announce(connection: Connection, { owner, leaseMs }: { owner: string; leaseMs: number }): string[] {
  const now = storeNowMs();
  connection.run('DELETE FROM owners WHERE alive_until <= ?', now);
  connection.run(
    'INSERT INTO owners (owner, alive_until) VALUES (?, ?) ON CONFLICT DO UPDATE SET alive_until = excluded.alive_until',
    owner,
    now + leaseMs,
  );
  return connection.all<{ owner: string }>('SELECT owner FROM owners ORDER BY owner').map((row) => row.owner);
}
