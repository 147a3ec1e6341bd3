/**
 * Tables of mailboxes. Accounts, mailboxes and messages have short numbers of their own for keys and indexes; ids are what callers see.
 *
 * - `messages`: one row for each copy in an account. Expunged ones stay 30 days as tombstones (`destroyed_at`, their summary emptied), with
 *   unread = 0 and has_attachment = 0, so that the partial indexes leave them. Each change takes an own modseq of the account.
 *   `message_id` is the spool's (an appended message has its own id there), first in its unique index because bodies are looked up by it.
 *   `mailboxes` and `keywords` are JSON lists, `summary` is the JSON of MessageSummary without its opening brace.
 * - `mailbox_messages`: which messages are in a mailbox, in the order of the list.
 * - `message_bodies`: of appended messages; those of delivered ones are the spool's.
 * - `thread_references`: which thread a Message-ID or a base subject (their hashes) belongs to.
 * - `message_search`: contentless; the row of a message is `received_at << 21 | n mod 2^21`, so that the newest come first without a sort; `n` names
 *   the message.
 */
export const mailboxesSchema = `
  INSERT OR IGNORE INTO meta (name, value) VALUES ('incarnation', '1');

  CREATE TABLE mail_accounts (
    account INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    modseq INTEGER NOT NULL DEFAULT 0,
    mailboxes_modseq INTEGER NOT NULL DEFAULT 0,
    purged_modseq INTEGER NOT NULL DEFAULT 0,
    uid_validity INTEGER NOT NULL DEFAULT 1,
    used_bytes INTEGER NOT NULL DEFAULT 0,
    used_messages INTEGER NOT NULL DEFAULT 0,
    limit_bytes INTEGER,
    limit_messages INTEGER
  );

  CREATE TABLE mailboxes (
    mailbox INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    parent INTEGER,
    name TEXT NOT NULL,
    role TEXT,
    total INTEGER NOT NULL DEFAULT 0,
    unread INTEGER NOT NULL DEFAULT 0,
    uid_next INTEGER NOT NULL DEFAULT 1,
    uid_validity INTEGER NOT NULL,
    modseq INTEGER NOT NULL
  );
  CREATE INDEX mailboxes_of_account ON mailboxes (account);
  CREATE UNIQUE INDEX mailboxes_by_name ON mailboxes (account, ifnull(parent, 0), name);
  CREATE UNIQUE INDEX mailboxes_by_role ON mailboxes (account, role) WHERE role IS NOT NULL;

  CREATE TABLE messages (
    n INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    message_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    mailboxes TEXT NOT NULL,
    keywords TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    unread INTEGER NOT NULL,
    has_attachment INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    created_modseq INTEGER NOT NULL,
    destroyed_at INTEGER,
    summary TEXT NOT NULL
  );
  CREATE UNIQUE INDEX messages_once ON messages (message_id, account, kind);
  CREATE INDEX messages_by_time ON messages (account, received_at, id) WHERE destroyed_at IS NULL;
  CREATE INDEX messages_unread ON messages (account, received_at, id) WHERE unread = 1;
  CREATE INDEX messages_with_attachment ON messages (account, received_at, id) WHERE has_attachment = 1;
  CREATE UNIQUE INDEX messages_by_modseq ON messages (account, modseq);
  CREATE INDEX messages_changed_since_created ON messages (account, created_modseq) WHERE modseq > created_modseq;
  CREATE INDEX messages_expunged ON messages (destroyed_at) WHERE destroyed_at IS NOT NULL;

  CREATE TABLE mailbox_messages (
    mailbox INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    id TEXT NOT NULL,
    n INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    unread INTEGER NOT NULL,
    has_attachment INTEGER NOT NULL,
    PRIMARY KEY (mailbox, received_at, id)
  ) WITHOUT ROWID;
  CREATE INDEX mailbox_messages_unread ON mailbox_messages (mailbox, received_at, id, n) WHERE unread = 1;
  CREATE INDEX mailbox_messages_with_attachment ON mailbox_messages (mailbox, received_at, id, n) WHERE has_attachment = 1;

  CREATE TABLE message_bodies (
    n INTEGER PRIMARY KEY,
    bytes BLOB,
    blob_ref TEXT,
    sha256 TEXT NOT NULL
  );
  CREATE INDEX message_bodies_by_blob ON message_bodies (blob_ref) WHERE blob_ref IS NOT NULL;

  CREATE TABLE thread_references (
    account INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    thread_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, hash)
  ) WITHOUT ROWID;

  CREATE TABLE search_pending (n INTEGER PRIMARY KEY);
  CREATE VIRTUAL TABLE message_search USING fts5 (
    n UNINDEXED, acct, sender, recipients, subject, body,
    content = '', contentless_delete = 1, contentless_unindexed = 1, tokenize = 'unicode61 remove_diacritics 0'
  );
`;
