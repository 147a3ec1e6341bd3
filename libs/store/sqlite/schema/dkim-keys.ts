/** DKIM keys of domains. `await_keep_ms` is set while a new one waits for its DNS record. */
export const dkimKeysSchema = `
CREATE TABLE dkim_keys (
  domain TEXT NOT NULL REFERENCES directory_domains (key) ON DELETE CASCADE,
  selector TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  public_key TEXT NOT NULL,
  private_key TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('new', 'active', 'retired')),
  await_keep_ms INTEGER,
  created_at INTEGER NOT NULL,
  activated_at INTEGER,
  retired_at INTEGER,
  remove_at INTEGER,
  PRIMARY KEY (domain, selector)
) WITHOUT ROWID;
CREATE UNIQUE INDEX dkim_keys_active ON dkim_keys (domain, algorithm) WHERE state = 'active';
CREATE INDEX dkim_keys_awaiting ON dkim_keys (created_at) WHERE await_keep_ms IS NOT NULL;
CREATE INDEX dkim_keys_removable ON dkim_keys (remove_at) WHERE remove_at IS NOT NULL;
`;
