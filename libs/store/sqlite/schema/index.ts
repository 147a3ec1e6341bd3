import type { Connection } from '../engine/connection.ts';
import { directorySchema } from './directory.ts';
import { dkimKeysSchema } from './dkim-keys.ts';
import { groupsSchema } from './groups.ts';
import { mailboxesSchema } from './mailboxes.ts';
import { noticesSchema } from './notices.ts';
import { queueAuditSchema } from './queue-audit.ts';
import { heldSchema, queueSchema } from './queue.ts';

/**
 * The schema, forward only: each step runs once, in order, in a transaction with the number of the step. Released steps never change; a change of
 * the schema is a new step.
 */
const steps: readonly string[] = [
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID; ${directorySchema} ${queueSchema} ${mailboxesSchema}`,
  groupsSchema,
  heldSchema,
  dkimKeysSchema,
  noticesSchema,
  queueAuditSchema,
];

/** Brings the database up to this release; throws SchemaTooNew for one made by a later release. */
export function migrate(connection: Connection): void {
  const version = connection.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
  if (version > steps.length) throw new SchemaTooNew(version, steps.length);
  for (const [index, step] of steps.entries()) {
    if (index < version) continue;
    connection.exec(`BEGIN IMMEDIATE; ${step} PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}

class SchemaTooNew extends Error {
  override readonly name = 'SchemaTooNew';
  constructor(found: number, known: number) {
    super(
      `the database has schema ${found}, this release knows ${known}: start the release that made it, or a later one`,
    );
  }
}
