import { DatabaseSync } from 'node:sqlite';

/**
 * The lock on a data directory: an exclusive SQLite lock on a file of its own, held by the operating system for as long as the process lives, so that
 * a killed process leaves none. It is what voids all leases at an embedded start: nobody else can hold one.
 */
export function lockDataDirectory(file: string): { release(): void } {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE;');
  } catch (error) {
    database.close();
    if (error instanceof Error && error.message.includes('locked')) throw new DataDirectoryInUse(file);
    throw error;
  }
  return { release: () => database.close() };
}

export class DataDirectoryInUse extends Error {
  override readonly name = 'DataDirectoryInUse';
  constructor(file: string) {
    super(
      `another process uses this data directory (${file} is locked): stop it, or set WAYPOST_DATA_DIR to another directory`,
    );
  }
}
