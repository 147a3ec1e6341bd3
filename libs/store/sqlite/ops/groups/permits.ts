import { allowedNow, roomFor } from '../../../../delivery/limits/health.ts';
import type { Limits } from '../../../../delivery/limits/limits.ts';
import type { Acquired, Permit } from '../../../ports/groups.ts';
import type { Connection } from '../../engine/connection.ts';
import { storeNowMs } from '../store-clock.ts';
import { healthOf, limitsOf, permitsInUse, useGroup } from './row.ts';

export const writes = {
  'groups.acquire': acquire,

  'groups.renew': (
    connection: Connection,
    {
      holder,
      permits,
      leaseMs,
      graceMs,
    }: { holder: string; permits: readonly Permit[]; leaseMs: number; graceMs: number },
  ): Permit[] => {
    const now = storeNowMs();
    const sql = 'UPDATE permits SET until = ? WHERE id = ? AND group_name = ? AND holder = ? AND until > ?';
    return permits
      .filter(({ id, group }) => connection.run(sql, now + leaseMs, id, group, holder, now - graceMs) > 0)
      .map(({ group, id }) => ({ group, id }));
  },

  'groups.release': (connection: Connection, { permits }: { permits: readonly Permit[] }): ('released' | 'gone')[] =>
    permits.map(({ id, group }) =>
      connection.run('DELETE FROM permits WHERE id = ? AND group_name = ?', id, group) > 0 ? 'released' : 'gone',
    ),

  /** When the store is opened: whoever held a permit has ended, and the clock that they and the rate go by may have begun anew. */
  'groups.void': (connection: Connection): void => {
    connection.run('DELETE FROM permits');
    connection.run('UPDATE mx_groups SET spent_at = 0 WHERE spent_at > 0');
  },
};

interface AcquireRequest {
  group: string;
  holder: string;
  /** As many as are wanted; used as the permits' ids. */
  ids: readonly string[];
  leaseMs: number;
  limits: Limits;
  now: number;
  graceMs: number;
}

function acquire(connection: Connection, request: AcquireRequest): Acquired {
  const { group, holder, ids, leaseMs, now, graceMs } = request;
  const row = useGroup(connection, group, now);
  const health = healthOf(row);
  const limits = limitsOf(row, request.limits);
  const storeNow = storeNowMs();
  connection.run('DELETE FROM permits WHERE group_name = ? AND until <= ?', group, storeNow - graceMs);
  const before = permitsInUse(connection, group, { now: storeNow, graceMs });
  const room = row.pausedBy === null ? roomFor(health, { limit: limits.connections, inUse: before, now }) : 0;
  const got = ids.slice(0, room);
  for (const id of got) {
    connection.run(
      'INSERT INTO permits (id, group_name, holder, until) VALUES (?, ?, ?, ?)',
      id,
      group,
      holder,
      storeNow + leaseMs,
    );
  }
  const allowed = row.pausedBy === null ? Math.min(limits.connections, allowedNow(health, now)) : 0;
  const acquired: Acquired = { permits: got.map((id) => ({ group, id })), limits, inUse: before + got.length, allowed };
  if (got.length === ids.length) return acquired;
  if (row.pausedBy !== null) return { ...acquired, short: { why: 'paused' } };
  if (row.pausedUntil > now) return { ...acquired, short: { why: 'resting', retryInMs: row.pausedUntil - now } };
  return { ...acquired, short: { why: 'full' } };
}
