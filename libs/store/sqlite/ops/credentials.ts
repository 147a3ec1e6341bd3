import { NotFound, Refused } from '../../errors.ts';
import type { CredentialRow, TokenRow } from '../../ports/credentials.ts';
import type { Connection } from '../engine/connection.ts';

/** An account has no need of more; without a cap one account could fill the store. */
const maxAppPasswords = 100;
const maxTokens = 500;

export const writes = {
  'credentials.addAppPassword': (connection: Connection, row: CredentialRow): void => {
    raiseCredentialVersion(connection, row.accountId);
    if (countOf(connection, 'credentials', row.accountId) > maxAppPasswords) {
      throw new Refused('tooManyAppPasswords', `an account has at most ${maxAppPasswords} application passwords`);
    }
    connection.run(
      "INSERT INTO credentials (id, account_id, kind, name, hash, created_at) VALUES (?, ?, 'app', ?, ?, ?)",
      row.id,
      row.accountId,
      row.name,
      row.hash,
      row.createdAt,
    );
  },

  'credentials.removeAppPassword': (connection: Connection, args: { accountId: string; id: string }): void => {
    const removed = connection.run(
      "DELETE FROM credentials WHERE id = ? AND account_id = ? AND kind = 'app'",
      args.id,
      args.accountId,
    );
    if (removed === 0) throw new NotFound('application password');
    raiseCredentialVersion(connection, args.accountId);
  },

  'credentials.addToken': (connection: Connection, token: TokenRow): void => {
    if (connection.get('SELECT 1 FROM directory_accounts WHERE id = ?', token.accountId) === undefined)
      throw new NotFound('account');
    if (countOf(connection, 'tokens', token.accountId) >= maxTokens) {
      throw new Refused('tooManyTokens', `an account has at most ${maxTokens} tokens`);
    }
    connection.run(
      'INSERT INTO tokens (id, account_id, name, scopes, hash, expires_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
      token.id,
      token.accountId,
      token.name,
      JSON.stringify(token.scopes),
      token.hash,
      token.expiresAt,
      token.createdAt,
    );
  },

  'credentials.removeToken': (connection: Connection, args: { accountId: string; id: string }): void => {
    if (connection.run('DELETE FROM tokens WHERE id = ? AND account_id = ?', args.id, args.accountId) === 0)
      throw new NotFound('token');
    raiseCredentialVersion(connection, args.accountId);
  },
};

export const reads = {
  'credentials.ofAccount': (connection: Connection, args: { accountId: string }): CredentialRow[] =>
    connection.all(`${selectCredentials} WHERE account_id = ? ORDER BY id`, args.accountId),

  'credentials.appPasswords': (connection: Connection, args: { accountId: string }): CredentialRow[] =>
    connection.all(`${selectCredentials} WHERE account_id = ? AND kind = 'app' ORDER BY id`, args.accountId),

  'credentials.tokens': (
    connection: Connection,
    args: { accountId: string; limit: number; cursor?: string },
  ): TokenRow[] =>
    connection
      .all<StoredToken>(
        `${selectTokens} WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?`,
        args.accountId,
        args.cursor ?? '',
        args.limit,
      )
      .map(toToken),

  'credentials.tokenByHash': (connection: Connection, args: { hash: string }): TokenRow | undefined => {
    const row = connection.get<StoredToken>(`${selectTokens} WHERE hash = ?`, args.hash);
    return row === undefined ? undefined : toToken(row);
  },
};

const selectCredentials =
  'SELECT id, account_id AS accountId, kind, name, hash, created_at AS createdAt FROM credentials';
const selectTokens =
  'SELECT id, account_id AS accountId, name, scopes, hash, expires_at AS expiresAt, created_at AS createdAt FROM tokens';

type StoredToken = Omit<TokenRow, 'scopes'> & { scopes: string };

function toToken(row: StoredToken): TokenRow {
  const scopes: readonly string[] = JSON.parse(row.scopes);
  return { ...row, scopes };
}

function raiseCredentialVersion(connection: Connection, accountId: string): void {
  const raised = connection.run(
    'UPDATE directory_accounts SET credential_version = credential_version + 1 WHERE id = ?',
    accountId,
  );
  if (raised === 0) throw new NotFound('account');
}

function countOf(connection: Connection, table: 'credentials' | 'tokens', accountId: string): number {
  return connection.get<{ n: number }>(`SELECT count(*) AS n FROM ${table} WHERE account_id = ?`, accountId)?.n ?? 0;
}
