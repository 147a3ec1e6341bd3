import type { Connection } from '../engine/connection.ts';
import * as collection from './collection.ts';
import * as credentials from './credentials.ts';
import * as deliveries from './deliveries.ts';
import * as directory from './directory.ts';
import * as dkimKeys from './dkim-keys.ts';
import * as groups from './groups.ts';
import * as health from './health.ts';
import * as loginLimits from './login-limits.ts';
import * as mailboxes from './mailboxes.ts';
import * as partitions from './partitions.ts';
import * as queueAudit from './queue-audit.ts';
import * as spool from './spool.ts';

/**
 * Every operation that the threads know, by name. `writes` run in the writer's transaction, `reads` in a snapshot of a reader. Arguments and
 * results cross threads by structured clone: plain data, Maps and Uint8Arrays.
 */
const allWrites = {
  ...health.writes,
  ...spool.writes,
  ...collection.writes,
  ...deliveries.writes,
  ...partitions.writes,
  ...mailboxes.writes,
  ...directory.writes,
  ...credentials.writes,
  ...loginLimits.writes,
  ...dkimKeys.writes,
  ...groups.writes,
  ...queueAudit.writes,
};

const allReads = {
  ...health.reads,
  ...spool.reads,
  ...collection.reads,
  ...deliveries.reads,
  ...partitions.reads,
  ...mailboxes.reads,
  ...directory.reads,
  ...credentials.reads,
  ...loginLimits.reads,
  ...dkimKeys.reads,
  ...groups.reads,
  ...queueAudit.reads,
};

export type Writes = typeof allWrites;
export type Reads = typeof allReads;

/** How the threads see an operation: the engine's types have matched name and arguments already. */
type AnyOperation = (connection: Connection, args: unknown) => unknown;

export const writes = allWrites as unknown as Readonly<Record<string, AnyOperation>>;
export const reads = allReads as unknown as Readonly<Record<string, AnyOperation>>;
