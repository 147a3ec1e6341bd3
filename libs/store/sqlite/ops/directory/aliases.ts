import { NotFound } from '../../../errors.ts';
import type { Alias } from '../../../ports/directory.ts';
import type { Connection } from '../../engine/connection.ts';
import { takeAddress } from './domains.ts';

/** A target in the form that was given, and its key (libs/mail/address). */
export interface AliasTarget {
  target: string;
  key: string;
}

export const writes = {
  'directory.addAlias': (
    connection: Connection,
    args: { key: string; address: string; targets: readonly AliasTarget[]; createdAt: number },
  ): void => {
    takeAddress(connection, args.key, null);
    connection.run(
      'INSERT INTO directory_aliases (key, address, created_at) VALUES (?, ?, ?)',
      args.key,
      args.address,
      args.createdAt,
    );
    insertTargets(connection, args.key, args.targets);
  },

  'directory.updateAlias': (connection: Connection, args: { key: string; targets: readonly AliasTarget[] }): Alias => {
    const alias = connection.get<AliasHead>(`${selectAliases} WHERE key = ?`, args.key);
    if (alias === undefined) throw new NotFound('alias');
    connection.run('DELETE FROM directory_alias_targets WHERE alias_key = ?', args.key);
    insertTargets(connection, args.key, args.targets);
    return { ...alias, targets: args.targets.map(({ target }) => target) };
  },

  'directory.removeAlias': (connection: Connection, args: { key: string }): void => {
    // The targets go by their foreign key.
    if (connection.run('DELETE FROM directory_aliases WHERE key = ?', args.key) === 0) throw new NotFound('alias');
    connection.run('DELETE FROM directory_addresses WHERE key = ?', args.key);
  },
};

export const reads = {
  'directory.aliases': (connection: Connection, args: { limit: number; cursor?: string }): Alias[] =>
    connection
      .all<AliasHead>(`${selectAliases} WHERE key > ? ORDER BY key LIMIT ?`, args.cursor ?? '', args.limit)
      .map((alias) => ({ ...alias, targets: targetsOf(connection, alias.key) })),
};

export function targetsOf(connection: Connection, aliasKey: string): string[] {
  return connection
    .all<{ target: string }>(
      'SELECT target FROM directory_alias_targets WHERE alias_key = ? ORDER BY position',
      aliasKey,
    )
    .map(({ target }) => target);
}

type AliasHead = Omit<Alias, 'targets'>;

const selectAliases = 'SELECT key, address, created_at AS createdAt FROM directory_aliases';

function insertTargets(connection: Connection, aliasKey: string, targets: readonly AliasTarget[]): void {
  for (const [position, { target, key }] of targets.entries()) {
    connection.run(
      'INSERT INTO directory_alias_targets (alias_key, position, target, target_key) VALUES (?, ?, ?, ?)',
      aliasKey,
      position,
      target,
      key,
    );
  }
}
