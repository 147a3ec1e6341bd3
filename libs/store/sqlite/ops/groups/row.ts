import type { GroupHealth } from '../../../../delivery/limits/health.ts';
import { startAllowed } from '../../../../delivery/limits/health.ts';
import { type Limits, withSet } from '../../../../delivery/limits/limits.ts';
import { givenLimits } from '../../../group-rules.ts';
import type { GroupStanding, HealthStanding } from '../../../ports/groups.ts';
import type { Connection } from '../../engine/connection.ts';

/** A row of `mx_groups`. */
export interface GroupRow {
  name: string;
  spentAt: number;
  allowed: number | null;
  misses: number;
  failures: number;
  pausedUntil: number;
  okAt: number;
  connections: number | null;
  perConnection: number | null;
  perSecond: number | null;
  pausedBy: string | null;
  pausedAt: number | null;
}

export const groupColumns = `name, spent_at AS spentAt, allowed, misses, failures, paused_until AS pausedUntil, ok_at AS okAt, connections,
  per_connection AS perConnection, per_second AS perSecond, paused_by AS pausedBy, paused_at AS pausedAt`;

export const groupSql = `SELECT ${groupColumns} FROM mx_groups WHERE name = ?`;

const useSql =
  'INSERT INTO mx_groups (name, used_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET used_at = excluded.used_at WHERE used_at < excluded.used_at';

/** The row, made when it isn't there; that it is used is kept by the hour, so that most uses write nothing for it. */
export function useGroup(connection: Connection, name: string, now: number): GroupRow {
  connection.run(useSql, name, hourOf(now));
  const row = connection.get<GroupRow>(groupSql, name);
  if (row === undefined) throw new Error('the group that was just written is not there');
  return row;
}

export const hourOf = (now: number): number => now - (now % 3_600_000);

export const healthOf = ({ allowed, misses, failures, pausedUntil, okAt }: GroupRow): GroupHealth => ({
  allowed: allowed ?? undefined,
  misses,
  failures,
  pausedUntil,
  okAt,
});

export const limitsOf = (row: GroupRow, configured: Limits): Limits => withSet(configured, row);

/** How many permits count, at `graceMs` after the end of their leases too. `now`: the store's clock. */
export function permitsInUse(
  connection: Connection,
  group: string,
  { now, graceMs }: { now: number; graceMs: number },
): number {
  return connection.get<{ n: number }>(inUseSql, group, now - graceMs)?.n ?? 0;
}

export const inUseSql = 'SELECT count(*) AS n FROM permits WHERE group_name = ? AND until > ?';

export function groupStanding(row: GroupRow, inUse: number): GroupStanding {
  const { name: group, pausedBy, pausedAt } = row;
  const paused = pausedBy === null ? null : { actor: pausedBy, at: pausedAt ?? 0 };
  return { group, inUse, ...healthStanding(healthOf(row)), paused, limits: givenLimits(row) };
}

export const healthStanding = ({ allowed, failures, pausedUntil }: GroupHealth): HealthStanding => ({
  allowed: Math.floor(allowed ?? startAllowed),
  resting: failures === 0 ? null : { until: pausedUntil, failures },
});
