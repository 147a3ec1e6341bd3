import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { makeFolder } from './folders.ts';

test('a folder is made with those above it, for its owner alone; one that is there is left as it is', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'waypost-folders-'));
  t.after(() => rm(root, { recursive: true }));
  for (const folder of [join(root, 'a'), join(root, 'b', 'c', 'd'), relative(process.cwd(), join(root, 'e', 'f'))]) {
    await makeFolder(folder);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    await makeFolder(folder);
  }
});
