import { type GroupsOptions, permitGraceMs } from '../../group-rules.ts';
import type { Groups } from '../../ports/groups.ts';
import type { MongoDatabase } from '../database.ts';
import { mongoPermits } from './permits.ts';
import { mongoGroupSettings } from './settings.ts';
import { mongoGroupUse } from './use.ts';

/** Limits of destinations in MongoDB: one document for each group, and each step on it one conditional update by the server's clock. */
export function mongoGroups(database: MongoDatabase, options: GroupsOptions = {}): Groups {
  const graceMs = options.permitGraceMs ?? permitGraceMs;
  return {
    ...mongoPermits(database, graceMs),
    ...mongoGroupUse(database, options.random ?? Math.random),
    ...mongoGroupSettings(database, graceMs),
  };
}
