/**
 * Accepted mail and the queue.
 *
 * Other tables name a message by `message_id` (text, UUIDv7). Inside the queue its integer `seq` does: it grows with each accept, so tables and
 * indexes append, and `deliveries.id = seq * 4096 + n` needs no index of its own. Read and keep bodies with the functions of ops/bodies.ts.
 *
 * - `accepts`: envelope and trace, one row a message (also of messages that never were in the queue: drafts, uploads). The row stays while a body
 *   or a delivery names it. The body is inline in `bodies` (same `seq`) or a blob (`blob_ref`); `body_gone` says that it was collected.
 * - `check_at`: when the collection looks at the body again (ms); `marked_at`: the look that found nothing that refers to it.
 * - `deliveries.lane`: null unless claimable; 0 waits for `due_at`, 1 is due. Rows are moved from 0 to 1 when due falls behind (ops `ripen`), so
 *   that a destination with a million rows waiting for their next attempt costs nothing when the ready ones are looked for.
 *   `state` and `last_reply_class` are the codes of ops/delivery-codes.ts. `lease_until` is of the store's monotonic clock, all other times ms of 1970.
 *   `claim_…` outlive the claim, so that an outcome that is told twice is known again.
 * - The queue API's filters by sender, recipient, domain and destination use indexes that begin with a bucket of 256 messages: new rows then
 *   touch the same few pages, whatever the addresses, and a search makes one step for each bucket. A row enters them with the end of its first
 *   attempt, in the large transactions of deliveries: at acceptance, where every page of a commit counts, they would be a third of its pages.
 */
export const queueSchema = `
CREATE TABLE accepts (
  seq INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL UNIQUE,
  accepted_at INTEGER NOT NULL,
  reverse_path TEXT NOT NULL,
  details TEXT NOT NULL,
  trace TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  blob_ref TEXT,
  body_gone INTEGER NOT NULL DEFAULT 0,
  marked_at INTEGER,
  check_at INTEGER
);
CREATE INDEX accepts_check ON accepts (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX accepts_blob ON accepts (blob_ref) WHERE blob_ref IS NOT NULL;

CREATE TABLE bodies (
  seq INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
);

CREATE TABLE idempotency (
  account_id TEXT NOT NULL,
  key TEXT NOT NULL,
  message_id TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (account_id, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  state INTEGER NOT NULL,
  lane INTEGER,
  partition INTEGER NOT NULL,
  destination TEXT NOT NULL,
  priority INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER,
  claim_owner TEXT,
  claim_epoch INTEGER,
  claim_token TEXT,
  wanted INTEGER,
  report INTEGER,
  last_reply TEXT,
  last_reply_class INTEGER,
  updated_at INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  account_id TEXT,
  recipient TEXT NOT NULL,
  domain TEXT NOT NULL,
  sender TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  extra TEXT
);
CREATE INDEX deliveries_ready ON deliveries (lane, partition, destination, priority, rank) WHERE lane IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (lane, due_at) WHERE lane IS NOT NULL;
CREATE INDEX deliveries_expiry ON deliveries (expires_at) WHERE lane IS NOT NULL;
CREATE INDEX deliveries_leased ON deliveries (lease_until, partition, claim_owner) WHERE state = 1;
CREATE INDEX deliveries_state ON deliveries (state) WHERE state NOT IN (1, 6);
CREATE INDEX deliveries_error ON deliveries (id) WHERE last_reply_class > 0;
CREATE INDEX deliveries_done ON deliveries (updated_at) WHERE state >= 6;
CREATE INDEX deliveries_sender ON deliveries ((id >> 20), sender) WHERE attempts > 0 OR state > 1;
CREATE INDEX deliveries_recipient ON deliveries ((id >> 20), recipient) WHERE attempts > 0 OR state > 1;
CREATE INDEX deliveries_domain ON deliveries ((id >> 20), domain) WHERE attempts > 0 OR state > 1;
CREATE INDEX deliveries_destination ON deliveries ((id >> 20), destination) WHERE attempts > 0 OR state > 1;

CREATE TABLE attempts (
  delivery INTEGER NOT NULL,
  k INTEGER NOT NULL,
  at INTEGER NOT NULL,
  event TEXT NOT NULL,
  reply TEXT NOT NULL,
  extra TEXT,
  PRIMARY KEY (delivery, k)
) WITHOUT ROWID;

CREATE TABLE partitions (
  partition INTEGER PRIMARY KEY,
  owner TEXT,
  epoch INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER NOT NULL DEFAULT 0
);
INSERT INTO partitions (partition)
  WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 255) SELECT i FROM n;

CREATE TABLE owners (
  owner TEXT PRIMARY KEY,
  alive_until INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
`;

/** Held rows of a destination, for its counts: after a restore all of the queue is held. */
export const heldSchema = `CREATE INDEX deliveries_held ON deliveries (destination) WHERE state = 3;`;
