// The one process that all unit tests share. tests/run.ts names the files.
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = (process.env['WAYPOST_TEST_SHARED_FILES'] ?? '').split('\n').filter((path) => path !== '');
process.env['WAYPOST_TEST_SHARED_FILES'] = '';

for (const file of files) {
  try {
    await import(pathToFileURL(join(root, file)).href);
  } catch (error) {
    // One file that can't be loaded is one failure, not the end of the others.
    test(`${file} loads`, () => {
      throw error;
    });
  }
}
