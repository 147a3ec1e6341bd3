import { takeTokens } from '../../../../delivery/limits/bucket.ts';
import { afterReport, type HealthReport } from '../../../../delivery/limits/health.ts';
import type { Limits } from '../../../../delivery/limits/limits.ts';
import type { HealthStanding, Tokens } from '../../../ports/groups.ts';
import type { Connection } from '../../engine/connection.ts';
import { storeNowMs } from '../store-clock.ts';
import { healthOf, healthStanding, hourOf, limitsOf, useGroup } from './row.ts';

export const writes = {
  'groups.takeTokens': (
    connection: Connection,
    { group, want, limits, now }: { group: string; want: number; limits: Limits; now: number },
  ): Tokens => {
    const row = useGroup(connection, group, now);
    const { perSecond } = limitsOf(row, limits);
    if (perSecond === 0) return { got: want, nextInMs: 0 };
    const taken = takeTokens({ spentAt: row.spentAt, now: storeNowMs(), perSecond, want });
    if (taken.got > 0) connection.run('UPDATE mx_groups SET spent_at = ? WHERE name = ?', taken.spentAt, group);
    return { got: taken.got, nextInMs: taken.nextInMs };
  },

  'groups.report': (
    connection: Connection,
    request: HealthReport & { group: string; limits: Limits; now: number; jitter: number },
  ): HealthStanding => {
    const { group, now, jitter } = request;
    const row = useGroup(connection, group, now);
    const limit = limitsOf(row, request.limits).connections;
    const health = afterReport(healthOf(row), request, { limit, now, jitter });
    connection.run(
      'UPDATE mx_groups SET allowed = ?, misses = ?, failures = ?, paused_until = ?, ok_at = ? WHERE name = ?',
      health.allowed ?? null,
      health.misses,
      health.failures,
      health.pausedUntil,
      health.okAt,
      group,
    );
    return healthStanding(health);
  },

  'groups.routed': (
    connection: Connection,
    { routes, now }: { routes: readonly { destination: string; group: string }[]; now: number },
  ): void => {
    for (const { destination, group } of routes) connection.run(routedSql, destination, group, hourOf(now));
  },
};

/** Nothing is written when it is known already. */
const routedSql = `INSERT INTO destinations (name, group_name, seen_at) VALUES (?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET group_name = excluded.group_name, seen_at = max(seen_at, excluded.seen_at)
  WHERE group_name IS NOT excluded.group_name OR seen_at < excluded.seen_at`;
