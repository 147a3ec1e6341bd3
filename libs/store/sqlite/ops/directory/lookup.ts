import type { Account, DirectoryEntry, DirectoryLookup } from '../../../ports/directory.ts';
import type { Connection } from '../../engine/connection.ts';
import { type StoredAccount, selectAccounts, toAccount } from './accounts.ts';
import { targetsOf } from './aliases.ts';

export const reads = {
  'directory.lookup': (
    connection: Connection,
    args: { keys: readonly string[]; domains: readonly string[] },
  ): DirectoryLookup => {
    const entries = new Map<string, DirectoryEntry>();
    const keys = JSON.stringify(args.keys);
    for (const row of connection.all<StoredAccount>(
      `${selectAccounts} WHERE key IN (SELECT value FROM json_each(?))`,
      keys,
    )) {
      entries.set(row.key, { kind: 'account', account: toAccount(row) });
    }
    const aliases = 'SELECT key, address FROM directory_aliases WHERE key IN (SELECT value FROM json_each(?))';
    for (const { key, address } of connection.all<{ key: string; address: string }>(aliases, keys)) {
      entries.set(key, { kind: 'alias', address, targets: targetsOf(connection, key) });
    }
    const domains = connection.all<{ key: string }>(
      'SELECT key FROM directory_domains WHERE key IN (SELECT value FROM json_each(?))',
      JSON.stringify(args.domains),
    );
    return { entries, domains: new Set(domains.map(({ key }) => key)) };
  },

  'directory.accounts': (connection: Connection, args: { ids: readonly string[] }): Map<string, Account> => {
    const sql = `${selectAccounts} WHERE id IN (SELECT value FROM json_each(?))`;
    const rows = connection.all<StoredAccount>(sql, JSON.stringify(args.ids));
    return new Map(rows.map((row) => [row.id, toAccount(row)]));
  },

  'directory.credentialVersions': (connection: Connection, args: { ids: readonly string[] }): Map<string, number> => {
    const rows = connection.all<{ id: string; version: number }>(
      `SELECT id, credential_version AS version FROM directory_accounts
       WHERE enabled = 1 AND id IN (SELECT value FROM json_each(?))`,
      JSON.stringify(args.ids),
    );
    return new Map(rows.map(({ id, version }) => [id, version]));
  },

  'directory.addressesOf': (connection: Connection, args: { accountId: string }): string[] =>
    connection
      .all<{ key: string }>(
        `SELECT key FROM directory_accounts WHERE id = ?
         UNION ALL
         SELECT DISTINCT t.alias_key FROM directory_alias_targets t JOIN directory_accounts a ON a.key = t.target_key WHERE a.id = ?`,
        args.accountId,
        args.accountId,
      )
      .map(({ key }) => key),
};
