import { AlreadyExists, NotFound, Refused } from '../../../errors.ts';
import type { Account, DirectoryAdmin, RemovedAccount } from '../../../ports/directory.ts';
import type { Connection } from '../../engine/connection.ts';
import { takeAddress } from './domains.ts';

export const writes = {
  'directory.addAccount': (connection: Connection, args: { account: Account; passwordHash: string }): void => {
    const { account } = args;
    if (idWasUsed(connection, account.id)) throw new AlreadyExists('account');
    takeAddress(connection, account.key, account.id);
    connection.run(
      `INSERT INTO directory_accounts (id, key, address, display_name, enabled, admin, quota_bytes, quota_messages, quota_version, quota_copied,
         credential_version, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 0, ?, ?)`,
      account.id,
      account.key,
      account.address,
      account.displayName,
      Number(account.enabled),
      Number(account.admin),
      account.quota.bytes,
      account.quota.messages,
      account.credentialVersion,
      account.createdAt,
    );
    connection.run(
      "INSERT INTO credentials (id, account_id, kind, name, hash, created_at) VALUES (?, ?, 'password', '', ?, ?)",
      account.id,
      account.id,
      args.passwordHash,
      account.createdAt,
    );
  },

  'directory.updateAccount': (connection: Connection, args: { id: string; patch: AccountPatch }): Account => {
    const { id, patch } = args;
    const before = accountOf(connection, id);
    const after = { ...before, ...withoutPassword(patch) };
    if (isActiveAdmin(before) && !isActiveAdmin(after)) keepAnAdministrator(connection, id);
    const rights = patch.passwordHash !== undefined || after.enabled !== before.enabled || after.admin !== before.admin;
    connection.run(
      `UPDATE directory_accounts SET display_name = ?, enabled = ?, admin = ?, quota_bytes = ?, quota_messages = ?,
         quota_version = quota_version + ?, credential_version = credential_version + ? WHERE id = ?`,
      after.displayName,
      Number(after.enabled),
      Number(after.admin),
      after.quota.bytes,
      after.quota.messages,
      Number(patch.quota !== undefined),
      Number(rights),
      id,
    );
    if (patch.passwordHash !== undefined) {
      connection.run(
        "UPDATE credentials SET hash = ? WHERE account_id = ? AND kind = 'password'",
        patch.passwordHash,
        id,
      );
    }
    return accountOf(connection, id);
  },

  'directory.removeAccount': (connection: Connection, args: { id: string; now: number }): void => {
    const account = accountOf(connection, args.id);
    if (isActiveAdmin(account)) keepAnAdministrator(connection, args.id);
    connection.run(
      'INSERT INTO directory_removed_accounts (id, key, removed_at) VALUES (?, ?, ?)',
      args.id,
      account.key,
      args.now,
    );
    connection.run('DELETE FROM directory_addresses WHERE key = ?', account.key);
    // Credentials and tokens go by their foreign keys.
    connection.run('DELETE FROM directory_accounts WHERE id = ?', args.id);
  },

  'directory.accountPurged': (connection: Connection, args: { id: string; now: number }): void => {
    const marked = connection.run(
      'UPDATE directory_removed_accounts SET purged_at = coalesce(purged_at, ?) WHERE id = ?',
      args.now,
      args.id,
    );
    if (marked === 0) throw new NotFound('removed account');
  },

  'directory.quotaCopied': (connection: Connection, args: { accountId: string; version: number }): boolean => {
    connection.run(
      'UPDATE directory_accounts SET quota_copied = iif(quota_version = ?, quota_version, 0) WHERE id = ?',
      args.version,
      args.accountId,
    );
    const sql = 'SELECT 1 FROM directory_accounts WHERE id = ? AND quota_copied = quota_version';
    return connection.get(sql, args.accountId) !== undefined;
  },
};

export const reads = {
  'directory.listAccounts': (connection: Connection, args: { limit: number; cursor?: string }): Account[] =>
    connection
      .all<StoredAccount>(`${selectAccounts} WHERE key > ? ORDER BY key LIMIT ?`, args.cursor ?? '', args.limit)
      .map(toAccount),

  'directory.uncopiedQuotas': (connection: Connection, args: { limit: number }): UncopiedQuota[] =>
    connection
      .all<{ id: string; bytes: number | null; messages: number | null; version: number }>(
        `SELECT id, quota_bytes AS bytes, quota_messages AS messages, quota_version AS version FROM directory_accounts
         WHERE quota_copied < quota_version ORDER BY id LIMIT ?`,
        args.limit,
      )
      .map(({ id, bytes, messages, version }) => ({ accountId: id, quota: { bytes, messages }, version })),

  'directory.administrators': (connection: Connection, args: { limit: number }): Account[] =>
    connection
      .all<StoredAccount>(
        `${selectAccounts} WHERE admin = 1 AND enabled = 1 ORDER BY created_at, id LIMIT ?`,
        args.limit,
      )
      .map(toAccount),

  'directory.removedAccounts': (connection: Connection, args: { limit: number }): RemovedAccount[] =>
    connection.all(
      `SELECT id, key, removed_at AS removedAt FROM directory_removed_accounts WHERE purged_at IS NULL
       ORDER BY removed_at, id LIMIT ?`,
      args.limit,
    ),
};

export interface StoredAccount {
  id: string;
  key: string;
  address: string;
  displayName: string | null;
  enabled: number;
  admin: number;
  quotaBytes: number | null;
  quotaMessages: number | null;
  credentialVersion: number;
  createdAt: number;
}

export const selectAccounts = `SELECT id, key, address, display_name AS displayName, enabled, admin, quota_bytes AS quotaBytes,
  quota_messages AS quotaMessages, credential_version AS credentialVersion, created_at AS createdAt FROM directory_accounts`;

export function toAccount({ quotaBytes, quotaMessages, enabled, admin, ...row }: StoredAccount): Account {
  return { ...row, enabled: enabled === 1, admin: admin === 1, quota: { bytes: quotaBytes, messages: quotaMessages } };
}

type AccountPatch = Parameters<DirectoryAdmin['updateAccount']>[1];
type UncopiedQuota = Awaited<ReturnType<DirectoryAdmin['uncopiedQuotas']>>[number];

function accountOf(connection: Connection, id: string): Account {
  const row = connection.get<StoredAccount>(`${selectAccounts} WHERE id = ?`, id);
  if (row === undefined) throw new NotFound('account');
  return toAccount(row);
}

function idWasUsed(connection: Connection, id: string): boolean {
  const sql =
    'SELECT 1 FROM directory_accounts WHERE id = ? UNION ALL SELECT 1 FROM directory_removed_accounts WHERE id = ?';
  return connection.get(sql, id, id) !== undefined;
}

function withoutPassword({ passwordHash: _, ...patch }: AccountPatch): Omit<AccountPatch, 'passwordHash'> {
  return patch;
}

const isActiveAdmin = (account: Account): boolean => account.admin && account.enabled;

/** Without an administrator nobody could make another. */
function keepAnAdministrator(connection: Connection, leavingId: string): void {
  const other = connection.get(
    'SELECT 1 FROM directory_accounts WHERE admin = 1 AND enabled = 1 AND id <> ? LIMIT 1',
    leavingId,
  );
  if (other === undefined) throw new Refused('lastAdministrator', 'this is the last administrator who can log in');
}
