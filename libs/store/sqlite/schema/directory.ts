/**
 * Tables of auth. `directory_addresses` holds each address once, of an account (account_id) or of an alias (null), so that an address is unique over
 * both; the key of a catch-all is `@domain`.
 */
export const directorySchema = `
  CREATE TABLE directory_domains (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE directory_addresses (
    key TEXT PRIMARY KEY,
    domain TEXT NOT NULL REFERENCES directory_domains (key),
    account_id TEXT
  ) WITHOUT ROWID;
  CREATE INDEX directory_addresses_by_domain ON directory_addresses (domain);

  CREATE TABLE directory_accounts (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    display_name TEXT,
    enabled INTEGER NOT NULL,
    admin INTEGER NOT NULL,
    quota_bytes INTEGER,
    quota_messages INTEGER,
    quota_version INTEGER NOT NULL,
    quota_copied INTEGER NOT NULL,
    credential_version INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX directory_accounts_admins ON directory_accounts (created_at, id) WHERE admin = 1 AND enabled = 1;
  CREATE INDEX directory_accounts_uncopied ON directory_accounts (id) WHERE quota_copied < quota_version;

  CREATE TABLE directory_removed_accounts (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    removed_at INTEGER NOT NULL,
    purged_at INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX directory_removed_unpurged ON directory_removed_accounts (removed_at, id) WHERE purged_at IS NULL;

  CREATE TABLE directory_aliases (
    key TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE directory_alias_targets (
    alias_key TEXT NOT NULL REFERENCES directory_aliases (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    target TEXT NOT NULL,
    target_key TEXT NOT NULL,
    PRIMARY KEY (alias_key, position)
  ) WITHOUT ROWID;
  CREATE INDEX directory_alias_targets_by_target ON directory_alias_targets (target_key);

  CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES directory_accounts (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('password', 'app')),
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX credentials_by_account ON credentials (account_id, id);
  CREATE UNIQUE INDEX credentials_one_password ON credentials (account_id) WHERE kind = 'password';

  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES directory_accounts (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    expires_at INTEGER,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX tokens_by_account ON tokens (account_id, id);

  CREATE TABLE login_failures (
    key TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    resets_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX login_failures_by_end ON login_failures (resets_at);

  CREATE TABLE login_successes (
    key TEXT PRIMARY KEY,
    until INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX login_successes_by_end ON login_successes (until);
`;
