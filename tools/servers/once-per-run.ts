import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What failed in one test file of a run fails at once in the others, with the same message: a download that waits for a network which
 * isn't there is waited for once. tests/run.ts gives the run its folder; without one each call works for itself.
 */
export async function oncePerRun<T>(name: string, work: () => Promise<T>): Promise<T> {
  const folder = process.env['WAYPOST_TEST_RUN_DIR'];
  if (folder === undefined) return work();
  const note = join(folder, `failed-${name}`);
  if (existsSync(note)) throw new Error(readFileSync(note, 'utf8'));
  try {
    return await work();
  } catch (error) {
    writeFileSync(note, error instanceof Error ? error.message : String(error));
    throw error;
  }
}
