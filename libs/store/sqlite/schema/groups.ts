/**
 * Limits of destinations. `permits.until` and `mx_groups.spent_at` are of the store's monotonic clock: both are void at a start. `used_at` and
 * `seen_at` are kept by the hour. `allowed` to `ok_at` are GroupHealth (libs/delivery/limits/health.ts).
 */
export const groupsSchema = `
CREATE TABLE mx_groups (
  name TEXT PRIMARY KEY,
  spent_at REAL NOT NULL DEFAULT 0,
  allowed REAL,
  misses INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  paused_until INTEGER NOT NULL DEFAULT 0,
  ok_at INTEGER NOT NULL DEFAULT 0,
  connections INTEGER,
  per_connection INTEGER,
  per_second INTEGER,
  paused_by TEXT,
  paused_at INTEGER,
  used_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX mx_groups_used ON mx_groups (used_at);

CREATE TABLE permits (
  id TEXT PRIMARY KEY,
  group_name TEXT NOT NULL,
  holder TEXT NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX permits_group ON permits (group_name, until);

CREATE TABLE destinations (
  name TEXT PRIMARY KEY,
  group_name TEXT,
  paused_by TEXT,
  paused_at INTEGER,
  seen_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX destinations_seen ON destinations (seen_at);
`;
