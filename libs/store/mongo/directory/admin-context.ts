import type { MongoDatabase } from '../database.ts';
import type { AccountTurns } from '../mailboxes/account-turns.ts';

/** What the writes of the directory work with. */
export interface AdminContext {
  database: MongoDatabase;
  /** By account, and by domain where an address is taken. */
  turns: AccountTurns;
}
