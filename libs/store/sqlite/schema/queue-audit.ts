/** What operators did with the queue, by ids that begin with the time; and what they ask of rows whose attempt is under way (JSON of a Wish). */
export const queueAuditSchema = `
ALTER TABLE deliveries ADD COLUMN wish TEXT;
CREATE TABLE queue_actions (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  record TEXT NOT NULL,
  matched INTEGER NOT NULL DEFAULT 0,
  changed INTEGER NOT NULL DEFAULT 0,
  ended_at INTEGER
) WITHOUT ROWID;
`;
