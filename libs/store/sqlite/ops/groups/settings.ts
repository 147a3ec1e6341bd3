import type {
  DestinationStanding,
  GroupStanding,
  Named,
  NamesPage,
  PausedBy,
  SetLimits,
} from '../../../ports/groups.ts';
import { unusedGroup } from '../../../group-rules.ts';
import type { Connection } from '../../engine/connection.ts';
import { storeNowMs } from '../store-clock.ts';
import { groupColumns, type GroupRow, groupSql, groupStanding, hourOf, permitsInUse, useGroup } from './row.ts';

export const writes = {
  'groups.pause': (
    connection: Connection,
    { named, by }: { named: Named; by: { actor: string; now: number } },
  ): void => {
    if ('group' in named) {
      useGroup(connection, named.group, by.now);
      connection.run('UPDATE mx_groups SET paused_by = ?, paused_at = ? WHERE name = ?', by.actor, by.now, named.group);
      return;
    }
    connection.run(
      `INSERT INTO destinations (name, paused_by, paused_at, seen_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET paused_by = excluded.paused_by, paused_at = excluded.paused_at`,
      named.destination,
      by.actor,
      by.now,
      hourOf(by.now),
    );
  },

  'groups.resume': (connection: Connection, { named, now }: { named: Named; now: number }): void => {
    if ('group' in named) {
      connection.run(
        `UPDATE mx_groups SET paused_by = NULL, paused_at = NULL, misses = 0, failures = 0, paused_until = 0, used_at = max(used_at, ?)
         WHERE name = ?`,
        hourOf(now),
        named.group,
      );
      return;
    }
    connection.run(
      'UPDATE destinations SET paused_by = NULL, paused_at = NULL, seen_at = max(seen_at, ?) WHERE name = ?',
      hourOf(now),
      named.destination,
    );
  },

  'groups.setLimits': (
    connection: Connection,
    { group, limits, now }: { group: string; limits: SetLimits | null; now: number },
  ): void => {
    const row = useGroup(connection, group, now);
    const set = limits ?? { connections: null, perConnection: null, perSecond: null };
    const next = { ...row, ...set };
    connection.run(
      'UPDATE mx_groups SET connections = ?, per_connection = ?, per_second = ? WHERE name = ?',
      next.connections ?? null,
      next.perConnection ?? null,
      next.perSecond ?? null,
      group,
    );
  },

  'groups.purge': (
    connection: Connection,
    { before, limit, graceMs }: { before: number; limit: number; graceMs: number },
  ): number => {
    connection.run('DELETE FROM permits WHERE until <= ?', storeNowMs() - graceMs);
    const groups = connection.run(idleGroupsSql, before, limit);
    return groups + connection.run(idleDestinationsSql, before, limit - groups);
  },
};

export const idleGroupsSql = `DELETE FROM mx_groups WHERE name IN (
  SELECT name FROM mx_groups WHERE used_at < ? AND coalesce(connections, per_connection, per_second) IS NULL AND paused_by IS NULL
     AND NOT EXISTS (SELECT 1 FROM permits WHERE group_name = mx_groups.name) LIMIT ?)`;

export const idleDestinationsSql = `DELETE FROM destinations WHERE name IN (
  SELECT name FROM destinations WHERE seen_at < ? AND paused_by IS NULL LIMIT ?)`;

type Grace = { graceMs: number };

export const reads = {
  'groups.groups': (
    connection: Connection,
    { names, graceMs }: { names: readonly string[] } & Grace,
  ): GroupStanding[] => [...new Set(names)].flatMap((name) => groupOf(connection, name, graceMs) ?? []),

  'groups.standing': (
    connection: Connection,
    { names, graceMs }: { names: readonly string[] } & Grace,
  ): DestinationStanding[] =>
    [...new Set(names)].flatMap((name) => {
      const row = connection.get<DestinationRow>(`SELECT ${destinationColumns} FROM destinations WHERE name = ?`, name);
      return row === undefined ? [] : [destinationOf(connection, row, graceMs)];
    }),

  'groups.list': (connection: Connection, { page, graceMs }: { page: NamesPage } & Grace): DestinationStanding[] =>
    connection
      .all<DestinationRow>(listSql(destinationColumns, 'destinations'), ...boundsOf(page))
      .map((row) => destinationOf(connection, row, graceMs)),

  'groups.listGroups': (connection: Connection, { page, graceMs }: { page: NamesPage } & Grace): GroupStanding[] =>
    connection
      .all<GroupRow>(listSql(groupColumns, 'mx_groups'), ...boundsOf(page))
      .map((row) => groupStanding(row, permitsInUse(connection, row.name, { now: storeNowMs(), graceMs }))),
};

interface DestinationRow {
  name: string;
  groupName: string | null;
  pausedBy: string | null;
  pausedAt: number | null;
}

const destinationColumns = 'name, group_name AS groupName, paused_by AS pausedBy, paused_at AS pausedAt';

export const listSql = (columns: string, table: 'destinations' | 'mx_groups'): string =>
  `SELECT ${columns} FROM ${table} WHERE name >= ? AND name < ? AND name > ? ORDER BY name LIMIT ?`;

/** Names are compared by their UTF-8 bytes, so all that begin with the prefix are before it with the last code point added. */
const boundsOf = ({ prefix = '', cursor = '', limit }: NamesPage): [string, string, string, number] => [
  prefix,
  `${prefix}\u{10ffff}`,
  cursor,
  limit,
];

function groupOf(connection: Connection, name: string, graceMs: number): GroupStanding | undefined {
  const row = connection.get<GroupRow>(groupSql, name);
  if (row === undefined) return undefined;
  return groupStanding(row, permitsInUse(connection, name, { now: storeNowMs(), graceMs }));
}

function destinationOf(connection: Connection, row: DestinationRow, graceMs: number): DestinationStanding {
  const { name, groupName, pausedBy, pausedAt } = row;
  const paused: PausedBy | null = pausedBy === null ? null : { actor: pausedBy, at: pausedAt ?? 0 };
  const group = groupName === null ? undefined : groupOf(connection, groupName, graceMs);
  return { destination: name, group: group ?? (groupName === null ? null : unusedGroup(groupName)), paused };
}
